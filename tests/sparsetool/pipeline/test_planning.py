"""A plan is shown and saved without a model being written."""

import json

import pytest

from sparsetool.pipeline.compress import compress
from sparsetool.pipeline.conversion import Settings
from sparsetool.pipeline.planning import plan_model
from sparsetool_converters.costs import Objective
from sparsetool_converters.errors import ModelFormatError, OutputError, UsageError


@pytest.fixture
def source(tmp_path, pruned_model):
    path = tmp_path / "model.tflite"
    path.write_bytes(pruned_model)
    return path


def test_a_plan_tells_what_compress_then_does(source, tmp_path):
    plan = plan_model(source)
    record = compress(source, tmp_path / "small.tflite")
    assert [(t.name, t.stored_bytes, t.reason) for t in record.tensors] == [
        (t.name, next(c.disk_bytes for c in t.choices if c.taken), t.reason) for t in plan.tensors
    ]


def test_saved_plans_of_one_model_are_equal_bytes_wherever_it_lies(source, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "copy.tflite"
    other.write_bytes(source.read_bytes())
    saved = []
    for i, path in enumerate((source, other)):
        plan_model(path, Settings(objective=Objective.RAM), destination=tmp_path / f"plan{i}.json")
        saved.append((tmp_path / f"plan{i}.json").read_text())
    assert saved[0] == saved[1]
    document = json.loads(saved[0])
    assert (document["schema_version"], document["kind"]) == (1, "plan")
    assert (document["target"], document["objective"]) == ("litert", "ram")
    assert str(tmp_path) not in saved[0]


def test_nothing_is_written_if_the_plan_exists_or_the_model_is_none(source, tmp_path):
    destination = tmp_path / "plan.json"
    destination.write_text("before")
    with pytest.raises(OutputError, match="--force"):
        plan_model(source, destination=destination)
    with pytest.raises(UsageError, match="target 'teapot'"):
        plan_model(source, Settings(target="teapot"), destination=destination, force=True)
    source.write_bytes(b"no model")
    with pytest.raises(ModelFormatError):
        plan_model(source, destination=destination, force=True)
    assert destination.read_text() == "before"
