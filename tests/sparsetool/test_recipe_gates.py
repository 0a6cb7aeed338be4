"""What artifacts must keep, as a recipe says it."""

from dataclasses import fields

import pytest

from sparsetool.recipe import OUTPUT_GATES, GatesSection, load_recipe
from sparsetool.verify import Tolerance
from sparsetool_converters.errors import RecipeError

VALID = """\
model = { source = "model.py" }
train = { epochs = 3 }

[prune]
epochs = 2
schedule = { type = "ConstantSparsity", target_sparsity = 0.5, begin_step = 0 }

[verify]
samples = 8

[[artifacts]]
name = "dense"
checkpoint = "dense"

[[artifacts]]
name = "int8"
quantize = "int8"
compared_with = "dense"
max_drop = "0.5%"
"""


@pytest.fixture
def written(tmp_path):
    """Writes a recipe and returns its path."""

    def write(text):
        path = tmp_path / "recipe.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def gates(artifact):
    return GatesSection(**{key: getattr(artifact, key) for key in GatesSection.model_fields})


def test_what_an_artifact_must_keep_is_its_own_or_that_of_all(written):
    text = VALID.replace(
        "samples = 8", 'min_sqnr_db = 20.0\nmin_cosine = 0.9\non_failure = "keep-dense"\nmax_drop = 0.2'
    )
    recipe = load_recipe(written(text.replace('quantize = "int8"', 'quantize = "int8"\nmin_sqnr_db = 10.0')))
    dense, int8 = map(gates, recipe.artifacts)
    assert dense == GatesSection(min_sqnr_db=20.0, min_cosine=0.9, on_failure="keep-dense")
    assert int8 == GatesSection(min_sqnr_db=10.0, min_cosine=0.9, on_failure="keep-dense", max_drop=0.005)


def test_a_drop_that_holds_for_all_needs_nothing_but_what_an_artifact_is_compared_with(written):
    text = VALID.replace('max_drop = "0.5%"\n', "").replace("samples = 8", 'max_drop = "1%"')
    recipe = load_recipe(written(text))
    assert [artifact.max_drop for artifact in recipe.artifacts] == [None, 0.01]


def test_the_limits_on_outputs_are_those_that_a_tolerance_knows():
    assert set(OUTPUT_GATES) == {field.name for field in fields(Tolerance)} - {"max_lsb"}


def test_accuracy_has_no_limit_where_another_metric_is_measured(written):
    text = VALID.replace("samples = 8", 'metric = "metrics.py:f1"').replace(
        'max_drop = "0.5%"', "max_drop=0\nmin_accuracy=9"
    )
    with pytest.raises(RecipeError, match="write min_metric") as caught:
        load_recipe(written(text))
    assert caught.value.key == "artifacts.1.min_accuracy"
