"""Recipes of models that are not trained, and keys that artifacts take from the sections around them."""

import pytest

from sparsetool.recipe import BudgetSection, load_recipe
from sparsetool_converters.errors import RecipeError

GIVEN = '[model]\nsource = "model.tflite"\n\n[[artifacts]]\nname = "small"\n'
TRAINED = """\
model = { source = "model.py" }
train = { epochs = 1 }
prune = { epochs = 1, schedule = { type = "ConstantSparsity", target_sparsity = 0.5, begin_step = 0 } }
"""


@pytest.fixture
def loaded(tmp_path):
    """Reads a recipe's text."""

    def load(text, overrides=None):
        path = tmp_path / "recipe.toml"
        path.write_text(text, encoding="utf-8")
        return load_recipe(path, overrides)

    return load


@pytest.mark.parametrize("source", ["m.tflite", "m.tflz", "m.tflite.zst", "m.keras", "saved"])
def test_a_model_that_is_no_python_file_is_not_trained(loaded, source):
    recipe = loaded(GIVEN.replace("model.tflite", source))
    assert (recipe.trains, recipe.phases) == (False, None)
    assert recipe.verify.samples == 8


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        (GIVEN + "[train]\nepochs = 1\n", "train", "goes with a model that is trained"),
        (GIVEN + '[[artifacts]]\nname = "a"\ncheckpoint = "dense"\n', "artifacts.1.checkpoint", "goes with a model"),
        (GIVEN + "[convert]\ncalibration_samples = 9\n", "convert.calibration_samples", "goes with a model"),
        (GIVEN + 'quantize = "int8"\n', "artifacts.0.quantize", "name samples in convert.calibration"),
        (GIVEN + '[convert]\nquantize = "int8"\n', "convert.quantize", "name samples in convert.calibration"),
        (GIVEN + '[verify]\nlabels = "y.npy"\n', "verify.labels", "name their source in verify.samples"),
        (GIVEN + '[verify]\nmetric = "m.py:f"\n', "verify.metric", "needs the right answers"),
        (GIVEN + "min_accuracy = 9.0\n", "artifacts.0.min_accuracy", "name them in verify.labels"),
        (GIVEN + "[verify]\nmin_metric = 0.5\n", "verify.min_metric", "needs the right answers"),
        (GIVEN + '[sizes]\nmax_regression = "1%"\n', "sizes.max_regression", "name one in sizes.baseline"),
        (GIVEN + "[verify]\nsamples = true\n", "verify.samples", "1 or more, or a source"),
        (TRAINED.replace("train = { epochs = 1 }\n", ""), "train", "is missing"),
        (TRAINED + '[convert]\ncalibration = "x.npz"\n', "convert.calibration", "data() of the Python file"),
        (TRAINED + '[verify]\nsamples = "x.npz"\n', "verify.samples", "must be a number here"),
        (TRAINED + '[verify]\nlabels = "y.npy"\n', "verify.labels", "goes with a model that is not trained"),
        ("[train]\nepochs = 1\n", "model", "[train] is for the Python file"),
    ],
)
def test_a_key_that_means_nothing_for_this_model_is_refused_with_the_way_out(loaded, text, key, problem):
    with pytest.raises(RecipeError) as caught:
        loaded(text)
    assert caught.value.key == key
    assert problem in caught.value.problem


def test_samples_and_calibration_stand_in_for_each_other(loaded):
    both = [
        (recipe.verify.samples, recipe.convert.calibration)
        for recipe in (
            loaded(GIVEN + '[verify]\nsamples = "a.npz"\n'),
            loaded(GIVEN + '[convert]\ncalibration = "a.npz"\n'),
            loaded(GIVEN + '[verify]\nsamples = 3\n[convert]\ncalibration = "a.npz"\n'),
            loaded(TRAINED),
        )
    ]
    assert both == [("a.npz", "a.npz"), ("a.npz", "a.npz"), (3, "a.npz"), (256, None)]


def test_artifacts_take_what_they_leave_out_from_the_sections(loaded):
    text = """\
[convert]
quantize = "dynamic"
quantize_layers = [{ pattern = "logits", recipe = "none" }]
compact = false
[verify]
min_cosine = 0.9
on_failure = "keep-dense"
[sizes]
budget = { disk = "1KB", ram = "1MB" }
[[artifacts]]
name = "theirs"
[[artifacts]]
name = "own"
quantize = "none"
quantize_layers = []
compact = true
min_cosine = 0.5
on_failure = "fail"
budget = { disk = 5 }
"""
    theirs, own = loaded(text).artifacts
    assert (theirs.quantize, theirs.quantize_layers[0].pattern, theirs.compact) == ("dynamic", "logits", False)
    assert (theirs.min_cosine, theirs.on_failure) == (0.9, "keep-dense")
    assert theirs.budget == BudgetSection(disk=1000, ram=1_000_000)
    assert (own.quantize, own.quantize_layers, own.compact) == ("none", (), True)
    assert (own.min_cosine, own.on_failure) == (0.5, "fail")
    assert own.budget == BudgetSection(disk=5, ram=1_000_000)


def test_a_recipe_that_only_says_how_to_convert_is_one(loaded):
    recipe = loaded('[convert]\ntarget = "tflm"\nquantize = "int8"\n')
    assert (recipe.model, recipe.artifacts, recipe.convert.quantize) == (None, (), "int8")


def test_an_unknown_target_is_refused(loaded):
    with pytest.raises(RecipeError, match=r"convert\.target: target 'teapot' is not known; known targets: litert"):
        loaded('[convert]\ntarget = "teapot"\n')
