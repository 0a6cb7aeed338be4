"""Flag over recipe over default."""

import pytest

from sparsetool.recipe import load_recipe
from sparsetool_converters.errors import RecipeError, UsageError

TEXT = """\
[model]
source = "model.tflite"
[convert]
target = "portable"
[sizes]
budget = { disk = 100, wire = 50 }
[[artifacts]]
name = "a"
on_failure = "fail"
budget = { disk = 200 }
[[artifacts]]
name = "b"
"""


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "recipe.toml"
    made.write_text(TEXT, encoding="utf-8")
    return made


def test_a_flag_counts_more_than_the_recipe_and_the_recipe_more_than_the_default(path):
    recipe = load_recipe(path, {"convert": {"objective": "ram"}, "verify": {"timeout_s": 5.0}})
    assert (recipe.convert.target, recipe.convert.objective, recipe.verify.timeout_s) == ("portable", "ram", 5.0)
    assert load_recipe(path, {"convert": {"target": "tflm"}}).convert.target == "tflm"


def test_a_flag_counts_more_than_what_an_artifact_says_itself(path):
    flags = {"verify": {"on_failure": "keep-dense"}, "sizes": {"budget": {"disk": 7}}}
    artifacts = load_recipe(path, flags).artifacts
    assert [a.on_failure for a in artifacts] == ["keep-dense"] * 2
    assert [(a.budget.disk, a.budget.wire) for a in artifacts] == [(7, 50)] * 2


def test_a_flag_for_one_artifact_counts_more_than_one_for_all(path):
    flags = {"sizes": {"budget": {"disk": 7}}, "artifacts": {"b": {"budget": {"disk": 9}}}}
    assert [a.budget.disk for a in load_recipe(path, flags).artifacts] == [7, 9]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"convert": {"target": "teapot"}}, "--target: target 'teapot' is not known"),
        ({"verify": {"timeout_s": 0}}, "--timeout: Input should be greater than 0; got 0"),
        ({"sizes": {"baseline": "b", "max_regression": "x"}}, "--max-regression: 'x' is no share"),
        ({"sizes": {"max_regression": "1%"}}, "--max-regression: is measured against a baseline"),
        ({"artifacts": {"c": {"budget": {"disk": 1}}}}, "--budget: the recipe has no artifact 'c'; known: a, b"),
        ({"artifacts": {"b": {"budget": {"disk": -1}}}}, "--budget: Input should be greater than or equal to 0"),
    ],
)
def test_an_error_in_a_flag_names_the_flag_and_not_the_file(path, flags, problem):
    with pytest.raises(UsageError) as caught:
        load_recipe(path, flags)
    assert str(caught.value).startswith(problem)
    assert str(path) not in str(caught.value)


def test_an_error_in_the_file_names_the_file_whatever_flags_say(path):
    path.write_text(TEXT.replace('"portable"', '"teapot"'))
    with pytest.raises(RecipeError, match=r"recipe\.toml: convert\.target: "):
        load_recipe(path, {"convert": {"target": "tflm"}})
