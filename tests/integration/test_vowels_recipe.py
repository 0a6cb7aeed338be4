"""The recurrent reference model through its own recipe, trained only until there is something to convert."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_line import run

from sparsetool.pipeline.user_model import UserModel
from sparsetool.verify import ALL_KERNEL_SETS
from sparsetool_converters.errors import UsageError
from sparsetool_converters.model import Model

pytestmark = [pytest.mark.keras, pytest.mark.slow]

VOWELS = Path(__file__).parents[2] / "models" / "vowels_gru"
SHORTER = (
    ("epochs = 100", "epochs = 12"),
    ("epochs = 80", "epochs = 8"),
    ("min_accuracy = 96.0", "min_accuracy = 60.0"),
    ('max_drop = "2%"', 'max_drop = "40%"'),
)
GRU_WEIGHTS = {(576, 12), (576, 192)}  # [3 gates of 192, input] and [3 gates of 192, state], as TFLite lays them out
STEPS = 29


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """What the recipe, cut short, made of the model."""
    folder = tmp_path_factory.mktemp("vowels")
    shutil.copy(VOWELS / "model.py", folder)
    text = (VOWELS / "recipe.toml").read_text("utf-8")
    for usual, short in SHORTER:
        assert usual in text
        text = text.replace(usual, short)
    (folder / "recipe.toml").write_text(text, "utf-8")
    try:
        UserModel(folder / "model.py").data  # noqa: B018
    except UsageError as error:
        pytest.skip(f"needs JapaneseVowels: {error}")
    done = run(folder, "run", "recipe.toml", "--json")
    assert done.code == 0, done.err
    return SimpleNamespace(
        runs=folder / "runs", record=done.json, artifacts={a["name"]: a for a in done.json["artifacts"]}
    )


def test_four_of_five_recurrent_weights_are_zero_and_no_others_are_pruned(finished):
    zeros = {layer["variable"].split("/")[-1]: layer["zeros"] for layer in finished.record["training"]["layers"]}
    assert zeros == {"kernel": round(0.8 * 12 * 576), "recurrent_kernel": round(0.8 * 192 * 576)}


def test_every_stage_was_verified_on_every_kernel_set(finished):
    for artifact in finished.artifacts.values():
        stages = [stage["name"] for stage in artifact["stages"]][1:] or ["source"]
        compared = {(output["stage"], output["kernel_set"]) for output in artifact["outputs"]}
        assert compared == {(stage, kernels) for stage in stages for kernels in ALL_KERNEL_SETS}
        assert artifact["skipped"] == []


@pytest.mark.parametrize("name", ["pruned-encoded", "float16", "dynamic", "int8"])
def test_weights_of_the_unrolled_loop_are_stored_sparse_once_and_the_rest_says_why_not(finished, name):
    tensors = {tuple(tensor["shape"]): tensor for tensor in finished.artifacts[name]["tensors"]}
    assert {shape for shape, tensor in tensors.items() if tensor["encoded"]} == GRU_WEIGHTS
    assert all(tensor["reason"] for tensor in tensors.values())
    model = Model.from_file(finished.runs / f"{name}.tflite")
    inputs = [op.inputs[1] for _, op in model.operators() if op.name == "FULLY_CONNECTED"]
    readers = {shape: [tensor for tensor in inputs if tensor.shape == shape] for shape in GRU_WEIGHTS}
    assert {len(read) for read in readers.values()} == {STEPS}
    assert {len(set(read)) for read in readers.values()} == {1}


def test_smaller_forms_are_smaller(finished):
    disk = {name: artifact["sizes"]["disk"] for name, artifact in finished.artifacts.items()}
    assert disk["dense"] == disk["pruned"]
    assert disk["dense"] > 2 * disk["pruned-encoded"] > 2 * disk["float16"] > 2 * disk["dynamic"]
