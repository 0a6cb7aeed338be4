"""The record of one conversion, with the models it tells of: whole, the same each time, and over nothing else."""

import json

import pytest

from sparsetool.budget import Budget, Budgets
from sparsetool.pipeline.compress import compress
from sparsetool.pipeline.conversion import Settings
from sparsetool.pipeline.pack import pack_file
from sparsetool.pipeline.size_gate import SizeGate
from sparsetool_converters.codec import unpack
from sparsetool_converters.errors import BudgetExceededError, OutputError
from sparsetool_converters.model import Model


@pytest.fixture
def source(tmp_path, pruned_model):
    path = tmp_path / "model.tflite"
    path.write_bytes(pruned_model)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "small.tflite"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_folder_holds_the_models_that_its_record_tells_of(source, out, tmp_path):
    returned = compress(source, out, record=tmp_path / "record")
    files = contents(tmp_path / "record")
    assert sorted(files) == ["run.json", "small.tflite", "small.tflz", "source.tflite"]
    assert files["small.tflite"] == out.read_bytes() == unpack(files["small.tflz"])
    assert files["source.tflite"] == source.read_bytes()
    found = json.loads(files["run.json"])
    assert (found["kind"], found["recipe"], found["training"]) == ("run", "model.tflite", None)
    dense, small = found["artifacts"]
    assert (dense["name"], small["name"]) == ("source", "small")
    for artifact in (dense, small):
        assert artifact["sizes"]["disk"] == len(files[f"{artifact['name']}.tflite"])
        assert artifact["outputs"]
        assert artifact["stages"][-1]["sizes"] == artifact["sizes"]
    assert small["sizes"]["wire"] == len(files["small.tflz"])
    assert dense["stages"][0]["sizes"] == small["stages"][0]["sizes"]
    assert len(small["outputs"]) == len(returned.outputs)


def test_without_a_record_no_stage_is_packed(source, out):
    assert all(stage.sizes is None for stage in compress(source, out).stages)


def test_a_source_that_came_encoded_is_recorded_dense(source, out, tmp_path):
    encoded = tmp_path / "encoded.tflite"
    compress(source, encoded, Settings(compact=False))
    compress(encoded, out, record=tmp_path / "record")
    dense = Model.from_bytes((tmp_path / "record" / "source.tflite").read_bytes())
    assert not any(tensor.is_sparse for graph in dense.subgraphs for tensor in graph.tensors)
    found = json.loads((tmp_path / "record" / "run.json").read_text())
    assert [stage["name"] for stage in found["artifacts"][0]["stages"]] == ["source", "densify"]


def test_the_same_source_gives_the_same_record_wherever_it_lies_and_whatever_is_written(source, out, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / source.name).write_bytes(source.read_bytes())
    compress(source, out, record=tmp_path / "a")
    compress(elsewhere / source.name, elsewhere / "small.tflite.zst", record=tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_record_is_replaced_only_by_force(source, out, tmp_path):
    folder = tmp_path / "record"
    compress(source, out, record=folder)
    before = contents(folder)
    out.unlink()
    with pytest.raises(OutputError, match="holds a record already; use --force"):
        compress(source, out, Settings(encode=False), record=folder)
    assert contents(folder) == before
    assert not out.exists()
    compress(source, tmp_path / "other.tflz", Settings(encode=False), record=folder, force=True)
    assert sorted(contents(folder)) == ["other.tflite", "other.tflz", "run.json", "source.tflite"]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_with_anything_else_is_never_replaced(source, out, tmp_path):
    folder = tmp_path / "record"
    compress(source, out, record=folder)
    (folder / "thesis.txt").write_text("the only copy")
    with pytest.raises(OutputError, match=r"holds 'thesis\.txt', which is no part of a record"):
        compress(source, out, record=folder, force=True)
    assert (folder / "thesis.txt").read_text() == "the only copy"


@pytest.mark.parametrize(
    ("record", "output", "problem"),
    [
        ("missing/record", "small.tflite", "does not exist"),
        ("model.tflite", "small.tflite", "is a file; name a folder"),
        (".", "small.tflite", "which is no part of a record"),
        ("record", "source.tflite", "calls the dense source source"),
        ("empty", "empty/small.tflite", "it would go with it"),
    ],
)
def test_places_that_cannot_hold_a_record_are_refused_before_anything_is_done(
    source, tmp_path, record, output, problem
):
    (tmp_path / "empty").mkdir()
    with pytest.raises(OutputError, match=problem):
        compress(source, tmp_path / output, record=tmp_path / record, force=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", "model.tflite"]


def test_what_fails_leaves_no_folder(source, out, tmp_path):
    with pytest.raises(BudgetExceededError):
        compress(source, out, gate=SizeGate(budgets=Budgets(every=Budget(disk=10))), record=tmp_path / "record")
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]


def test_sizes_in_the_record_are_those_that_packing_gives(source, out, tmp_path):
    compress(source, out, record=tmp_path / "record")
    dense = json.loads((tmp_path / "record" / "run.json").read_text())["artifacts"][0]
    assert dense["sizes"]["wire"] == pack_file(source, tmp_path / "packed.tflz").wire_bytes
