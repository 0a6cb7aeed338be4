"""Recipes: what a valid one means, and one line for everything else."""

import re
import tomllib
from pathlib import Path

import pytest

from sparsetool.recipe import (
    BudgetSection,
    ConstantSparsitySection,
    ConvertSection,
    PolynomialDecaySection,
    load_recipe,
)
from sparsetool_converters.errors import RecipeError
from sparsetool_converters.passes.quantize import Quantization

REPOSITORY = Path(__file__).parents[2]

VALID = """\
[model]
source = "model.py"

[train]
epochs = 3

[prune]
epochs = 2

[prune.schedule]
type = "PolynomialDecay"
initial_sparsity = 0.5
final_sparsity = 0.9
begin_step = 0
end_step = 100

[convert]
target = "litert"

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

[artifacts.budget]
disk = "1.2MB"
wire = 600000
"""


@pytest.fixture
def written(tmp_path):
    """Writes a recipe and returns its path."""

    def write(text):
        path = tmp_path / "recipe.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def refused(written):
    """Returns the error that a recipe's text leads to."""

    def error_of(text):
        path = written(text)
        with pytest.raises(RecipeError) as caught:
            load_recipe(path)
        assert len(str(caught.value).splitlines()) == 1
        assert caught.value.path == str(path)
        assert str(caught.value).startswith(f"{path}: ")
        return caught.value

    return error_of


def test_the_recipe_of_the_reference_model_is_valid():
    path = REPOSITORY / "models" / "mnist_cnn" / "recipe.toml"
    recipe = load_recipe(path)
    described = tomllib.loads(path.read_text("utf-8"))
    assert (path.parent / recipe.model.source).is_file()
    assert [a.name for a in recipe.artifacts] == [a["name"] for a in described["artifacts"]]
    assert {a.quantize for a in recipe.artifacts} == set(Quantization)
    assert isinstance(recipe.prune.schedule, PolynomialDecaySection)
    assert recipe.prune.schedule.final_sparsity == 0.9


def test_values_are_read_and_what_is_left_out_has_its_default(written):
    recipe = load_recipe(written(VALID))
    assert (recipe.train.epochs, recipe.train.batch_size, recipe.train.decay, recipe.train.seed) == (
        3,
        128,
        "constant",
        0,
    )
    assert (recipe.prune.block_size, recipe.prune.include, recipe.prune.exclude) == (None, ("*",), ())
    assert recipe.prune.schedule.model_dump() == {
        "type": "PolynomialDecay",
        "initial_sparsity": 0.5,
        "final_sparsity": 0.9,
        "begin_step": 0,
        "end_step": 100,
        "power": 3,
        "frequency": 100,
    }
    dense, int8 = recipe.artifacts
    assert (dense.checkpoint, dense.quantize, dense.compact, dense.encode) == ("dense", Quantization.NONE, True, True)
    assert int8.budget == BudgetSection(disk=1_200_000, wire=600_000)
    assert (int8.checkpoint, int8.compared_with, int8.max_drop) == ("pruned", "dense", 0.005)


def test_the_type_of_a_schedule_chooses_its_keys(written):
    text = re.sub(
        r"type = .*?(?=\n\[convert\])",
        'type = "ConstantSparsity"\ntarget_sparsity = 0.75\nbegin_step = 5\n',
        VALID,
        flags=re.DOTALL,
    )
    schedule = load_recipe(written(text)).prune.schedule
    assert schedule == ConstantSparsitySection(type="ConstantSparsity", target_sparsity=0.75, begin_step=5)


@pytest.mark.parametrize(
    ("right", "wrong", "key", "near"),
    [
        ("[train]", "[trian]", "trian", "train"),
        ("[[artifacts]]", "[[artifact]]", "artifact", "artifacts"),
        ('source = "model.py"', 'sourse = "model.py"', "model.sourse", "source"),
        ("[train]\nepochs", "[train]\nepoch = 1\nepochs", "train.epoch", "epochs"),
        ("[prune]\n", "[prune]\nlerning_rate = 0.1\n", "prune.lerning_rate", "learning_rate"),
        ("[prune]\n", "[prune]\nblocksize = [1, 4]\n", "prune.blocksize", "block_size"),
        ("final_sparsity", "final_sparsety", "prune.schedule.final_sparsety", "final_sparsity"),
        ("begin_step = 0\n", "begin_step = 0\nfrequncy = 9\n", "prune.schedule.frequncy", "frequency"),
        ("[convert]\n", "[convert]\ncalibration_sample = 9\n", "convert.calibration_sample", "calibration_samples"),
        ("[verify]\n", "[verify]\ntimeout = 9\n", "verify.timeout", "timeout_s"),
        ('quantize = "int8"', 'quantise = "int8"', "artifacts.1.quantise", "quantize"),
        ("wire = ", "wyre = ", "artifacts.1.budget.wyre", "wire"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(refused, right, wrong, key, near):
    assert right in VALID
    error = refused(VALID.replace(right, wrong))
    assert error.key == key
    assert error.problem == f"is not a known key; did you mean {near!r}?"


def test_an_unknown_key_near_to_none_lists_the_known_ones(refused):
    error = refused(VALID.replace("[convert]\n", "[convert]\nxyzzy = 1\n"))
    assert error.problem == f"is not a known key; known keys: {', '.join(ConvertSection.model_fields)}"


def test_a_key_of_the_other_schedule_is_not_known_here(refused):
    error = refused(VALID.replace("begin_step = 0", "begin_step = 0\ntarget_sparsity = 0.5"))
    assert error.key == "prune.schedule.target_sparsity"
    assert "is not a known key" in error.problem


@pytest.mark.parametrize(
    ("right", "wrong", "key"),
    [
        ("epochs = 3", "epochs = 0", "train.epochs"),
        ("epochs = 3", "epochs = 1.5", "train.epochs"),
        ("epochs = 3", 'epochs = "three"', "train.epochs"),
        ("epochs = 3", "epochs = 3\nlearning_rate = nan", "train.learning_rate"),
        ("epochs = 3", "epochs = 3\nlearning_rate = inf", "train.learning_rate"),
        ("epochs = 3", 'epochs = 3\ndecay = "linear"', "train.decay"),
        ("epochs = 3", "epochs = 3\nseed = -1", "train.seed"),
        ("epochs = 2", "epochs = 2\nblock_size = [1]", "prune.block_size.1"),
        ("epochs = 2", "epochs = 2\nblock_size = [0, 4]", "prune.block_size.0"),
        ("epochs = 2", 'epochs = 2\ninclude = "*"', "prune.include"),
        ("final_sparsity = 0.9", "final_sparsity = 1.0", "prune.schedule.final_sparsity"),
        ("final_sparsity = 0.9", "final_sparsity = -0.1", "prune.schedule.final_sparsity"),
        ('type = "PolynomialDecay"', 'type = "Linear"', "prune.schedule"),
        ("samples = 8", "samples = 0", "verify.samples"),
        ("samples = 8", "timeout_s = 0", "verify.timeout_s"),
        ("samples = 8", "timeout_s = inf", "verify.timeout_s"),
        ('checkpoint = "dense"', 'checkpoint = "sparse"', "artifacts.0.checkpoint"),
        ('quantize = "int8"', 'quantize = "int4"', "artifacts.1.quantize"),
        ('name = "dense"', 'name = "../dense"', "artifacts.0.name"),
        ('name = "dense"', 'name = ".work"', "artifacts.0.name"),
        ('name = "dense"', 'name = ""', "artifacts.0.name"),
        ('disk = "1.2MB"', 'disk = "1.2 megabytes"', "artifacts.1.budget.disk"),
        ("wire = 600000", "wire = -1", "artifacts.1.budget.wire"),
        ('max_drop = "0.5%"', 'max_drop = "half"', "artifacts.1.max_drop"),
        ('max_drop = "0.5%"', "max_drop = -0.5", "artifacts.1.max_drop"),
        ('max_drop = "0.5%"', 'max_drop = "0.5%"\nmin_accuracy = 100.1', "artifacts.1.min_accuracy"),
        ("samples = 8", "max_abs_error = -1.0", "verify.max_abs_error"),
        ("samples = 8", "min_cosine = 1.5", "verify.min_cosine"),
        ("samples = 8", 'min_top1_agreement = "101%"', "verify.min_top1_agreement"),
        ("samples = 8", "min_sqnr_db = nan", "verify.min_sqnr_db"),
        ("samples = 8", 'on_failure = "shrug"', "verify.on_failure"),
        ("samples = 8", 'metric = "metrics"', "verify.metric"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(refused, right, wrong, key):
    assert right in VALID
    error = refused(VALID.replace(right, wrong, 1))
    assert error.key == key
    value = tomllib.loads(wrong.splitlines()[-1]).popitem()[1]
    assert "; got " in error.problem or repr(value) in error.problem


@pytest.mark.parametrize(
    ("left_out", "key"),
    [('[model]\nsource = "model.py"\n', "model"), ('type = "PolynomialDecay"\n', "prune.schedule")],
)
def test_a_missing_key_is_named(refused, left_out, key):
    assert refused(VALID.replace(left_out, "")).key == key


def test_a_name_given_to_two_artifacts_is_refused(refused):
    error = refused(VALID.replace('name = "int8"', 'name = "dense"'))
    assert (error.key, error.problem) == ("artifacts.1.name", "'dense' is taken by an artifact before it")


def test_an_artifact_may_bear_the_name_of_a_checkpoint(written):
    artifacts = load_recipe(written(VALID.replace('name = "int8"', 'name = "pruned"'))).artifacts
    assert [artifact.name for artifact in artifacts] == ["dense", "pruned"]


@pytest.mark.parametrize("other", ["int8", "unheard"])
def test_an_artifact_is_compared_with_one_that_comes_before_it(refused, other):
    error = refused(VALID.replace('compared_with = "dense"', f'compared_with = "{other}"'))
    assert error.key == "artifacts.1.compared_with"
    assert error.problem == f"{other!r} is no artifact before it; known here: dense"


@pytest.mark.parametrize("left_out", ['compared_with = "dense"\n', 'max_drop = "0.5%"\n'])
def test_a_drop_needs_what_it_is_compared_with_and_the_other_way_round(refused, left_out):
    error = refused(VALID.replace(left_out, ""))
    assert (error.key, error.problem) == (
        "artifacts.1",
        "max_drop and compared_with only make sense together",
    )


@pytest.mark.parametrize("text", ["[model", "= 3", 'a = "b\n', "\x00", "a = 1\na = 2"])
def test_what_is_not_toml_is_refused_in_one_line(refused, text):
    error = refused(text)
    assert error.key == ""
    assert error.problem.startswith("is not TOML: ")


def test_bytes_that_are_not_text_are_not_toml(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="is not TOML"):
        load_recipe(path)


@pytest.mark.parametrize(("name", "problem"), [("missing.toml", "No such file"), (".", "Is a directory")])
def test_a_recipe_that_cannot_be_read_is_refused(tmp_path, name, problem):
    with pytest.raises(RecipeError, match=f"cannot be read: {problem}"):
        load_recipe(tmp_path / name)


def test_the_objective_is_one_of_three(tmp_path):
    path = tmp_path / "recipe.toml"
    for objective in ("disk", "ram", "speed"):
        path.write_text(VALID.replace('target = "litert"', f'target = "litert"\nobjective = "{objective}"'))
        assert load_recipe(path).convert.objective == objective
    path.write_text(VALID.replace('target = "litert"', 'objective = "size"'))
    with pytest.raises(RecipeError, match=r"convert\.objective: Input should be 'disk', 'ram' or 'speed'"):
        load_recipe(path)
    path.write_text(VALID)
    assert load_recipe(path).convert.objective == "disk"


def test_an_artifact_names_any_quantization_and_others_for_single_layers(written):
    layers = 'quantize_layers = [{ pattern = "logits", recipe = "none" }]\nallow_zero_loss = true\n'
    text = VALID.replace('quantize = "int8"\n', 'quantize = "dynamic_wi4_afp32+octav"\n' + layers)
    artifact = load_recipe(written(text)).artifacts[1]
    assert artifact.quantize == "dynamic_wi4_afp32+octav"
    assert [(s.pattern, s.recipe) for s in artifact.quantize_layers] == [("logits", "none")]
    assert artifact.allow_zero_loss


@pytest.mark.parametrize(
    ("quantize", "key", "problem"),
    [
        ('quantize = "int9"', "artifacts.1.quantize", "did you mean 'int8'"),
        ('quantize_layers = [{ pattern = "(", recipe = "none" }]', "pattern", "is not a regular expression"),
        ('quantize_layers = [{ pattern = "a", recipe = "nnoe" }]', "recipe", "did you mean 'none'"),
        ('quantize_layers = [{ pattern = "a", recip = "none" }]', "recip", "did you mean 'recipe'"),
    ],
)
def test_a_quantization_that_is_none_is_refused_with_its_key(written, quantize, key, problem):
    text = VALID.replace('quantize = "int8"', quantize)
    with pytest.raises(RecipeError, match=problem) as caught:
        load_recipe(written(text))
    assert key in caught.value.key


@pytest.mark.parametrize("written_as", ['"2 epochs"', '"25%"', "250"])
def test_steps_of_a_schedule_are_steps_or_epochs_or_a_share_of_the_run(written, written_as):
    schedule = load_recipe(written(VALID.replace("end_step = 100", f"end_step = {written_as}"))).prune.schedule
    assert schedule.end_step == tomllib.loads(f"x = {written_as}")["x"]


def test_the_initial_sparsity_of_a_decay_is_0_where_it_is_left_out(written):
    assert load_recipe(written(VALID.replace("initial_sparsity = 0.5\n", ""))).prune.schedule.initial_sparsity == 0.0


def test_a_schedule_may_be_a_function_in_a_file(written):
    schedule = '{ type = "CallableSchedule", function = "curves/slow.py:slow", begin_step = "1 epoch" }\n'
    text = re.sub(r"\[prune\.schedule\].*?(?=\n\[convert\])", "", VALID, flags=re.DOTALL)
    text = text.replace("[prune]\n", f"[prune]\nschedule = {schedule}")
    assert load_recipe(written(text)).prune.schedule.model_dump() == {
        "type": "CallableSchedule",
        "function": "curves/slow.py:slow",
        "begin_step": "1 epoch",
        "end_step": "100%",
        "frequency": 100,
    }


@pytest.mark.parametrize(
    ("wrong", "key", "problem"),
    [
        ('end_step = "3 weeks"', "prune.schedule.end_step", "'3 weeks' is no length of training"),
        ('end_step = "120%"', "prune.schedule.end_step", "is more than the whole run"),
        ("end_step = -1", "prune.schedule.end_step", "must be 0 or more; got -1"),
        ("end_step = 9.5", "prune.schedule.end_step", "9.5 is no length of training"),
        ("end_step = 100\nfrequency = 0", "prune.schedule.frequency", "must be 1 or more; got 0"),
    ],
)
def test_a_step_that_is_none_is_refused_with_its_key(refused, wrong, key, problem):
    error = refused(VALID.replace("end_step = 100", wrong))
    assert error.key == key
    assert problem in error.problem


@pytest.mark.parametrize("function", ["curve", "curve.py", "curve.py:", "curve.py:a b", "curve.txt:curve"])
def test_a_function_without_file_or_name_is_refused(refused, function):
    schedule = f'schedule = {{ type = "CallableSchedule", function = "{function}" }}\n'
    text = re.sub(r"\[prune\.schedule\].*?(?=\n\[convert\])", "", VALID, flags=re.DOTALL)
    assert refused(text.replace("[prune]\n", f"[prune]\n{schedule}")).key == "prune.schedule.function"


@pytest.mark.parametrize(
    ("added", "key", "problem"),
    [
        (
            "block_size = [1, 4]\nn_of_m = [2, 4]",
            "prune",
            "block_size, n_of_m and channels exclude each other; take one",
        ),
        (
            "block_size = [1, 4]\nchannels = true",
            "prune",
            "block_size, n_of_m and channels exclude each other; take one",
        ),
        (
            'block_pooling_type = "MAX"',
            "prune",
            "block_pooling_type goes with block_size or channels, which have scores",
        ),
        ("rules = [{ channels = true, n_of_m = [1, 2] }]", "prune.rules.0", "exclude each other"),
        ('rules = [{ patern = "*" }]', "prune.rules.0.patern", "did you mean 'pattern'?"),
        ('for_target = { target = "litert", quantize = "nt8" }', "prune.for_target.quantize", "did you mean 'int8'?"),
        ('scope = "all"', "prune.scope", "'layer' or 'global'; got 'all'"),
        ("min_kept = 1.0", "prune.min_kept", "less than 1; got 1.0"),
    ],
)
def test_what_is_pruned_is_said_once_and_in_known_words(refused, added, key, problem):
    error = refused(VALID.replace("[prune]", f"[prune]\n{added}", 1))
    assert error.key == key
    assert problem in error.problem
