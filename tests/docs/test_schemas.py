"""The published schemas: what the code makes, and what real documents keep."""

import json

import numpy as np
import pytest
from command_line import run
from jsonschema import Draft202012Validator
from models_in_memory import mlp
from published_schemas import FOLDER

from sparsetool.pipeline.documents import DOCUMENTS, KINDS, document_schema, file_name, schema_text
from sparsetool.report.finite import finite
from sparsetool.report.records import MetricRecord, as_json
from sparsetool.report.schemas import schema_of
from sparsetool_converters.codec import pack


@pytest.mark.parametrize("kind", KINDS)
def test_published_schema_is_what_the_code_makes(kind, request):
    """After a change that is meant: pytest tests/docs/test_schemas.py --update-goldens, then look at the difference."""
    path = FOLDER / file_name(kind)
    if request.config.getoption("--update-goldens"):
        path.write_text(schema_text(kind), "utf-8")
    assert path.read_text("utf-8") == schema_text(kind)


def test_no_schema_is_published_of_a_document_that_is_gone():
    assert {path.name for path in FOLDER.iterdir()} == set(map(file_name, KINDS))


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_every_key_of_a_schema_is_required_and_says_what_it_is(kind):
    schema = document_schema(kind)
    Draft202012Validator.check_schema(schema)
    for made in [schema, *schema.get("$defs", {}).values()]:
        assert set(made["required"]) == set(made["properties"])
        assert made["description"]
        told = {name for name, each in made["properties"].items() if "description" in each}
        assert set(made["properties"]) - told <= {"schema_version", "kind"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two models, the second packed as well."""
    made = tmp_path_factory.mktemp("documents")
    weight = np.random.default_rng(3).normal(size=(32, 64)).astype(np.float32)
    (made / "dense.tflite").write_bytes(mlp([weight]))
    weight[np.abs(weight) < 1.2] = 0
    pruned = mlp([weight], [np.ones(32)])
    (made / "pruned.tflite").write_bytes(pruned)
    (made / "pruned.tflz").write_bytes(pack(pruned))
    return made


COMMANDS = (
    ("compress", ("compress", "pruned.tflite", "-o", "small.tflite", "--force")),
    ("pack", ("pack", "pruned.tflite", "-o", "pruned.tflz", "--force")),
    ("packing", ("inspect", "pruned.tflz")),
    ("unpack", ("unpack", "pruned.tflz", "-o", "again.tflite", "--force")),
    ("embed", ("embed", "pruned.tflite", "-o", "pruned.c", "--force")),
    ("inspect", ("inspect", "pruned.tflite")),
    ("plan", ("plan", "pruned.tflite")),
    ("explain", ("explain", "pruned.tflite")),
    ("diff", ("diff", "dense.tflite", "pruned.tflite")),
    ("verify", ("verify", "pruned.tflite", "pruned.tflite")),
    ("bench", ("bench", "pruned.tflite", "pruned.tflite", "--time", "1")),
    ("quantizations", ("quantizations",)),
)


@pytest.mark.parametrize(("kind", "arguments"), COMMANDS, ids=[kind for kind, _ in COMMANDS])
def test_what_a_command_prints_keeps_its_schema(kind, arguments, folder):
    finished = run(folder, *arguments, "--json")
    assert finished.code == 0, finished.err
    assert finished.json["kind"] == kind  # which `run` holds to its schema


def test_a_document_with_another_value_or_key_or_version_does_not_keep_it(folder):
    document = run(folder, "inspect", "pruned.tflite", "--json").json
    validator = Draft202012Validator(document_schema("inspect"))
    assert validator.is_valid(document)
    for change in ({"weights": "many"}, {"schema_version": 2}, {"kind": "diff"}, {"sizes": {}}):
        assert not validator.is_valid({**document, **change})
    assert not validator.is_valid({key: value for key, value in document.items() if key != "zeros"})


def test_a_number_that_is_none_is_null_and_allowed():
    document = finite(as_json("metric", MetricRecord(name="psnr", value=float("inf"), samples=3)))
    assert document["value"] is None
    Draft202012Validator(schema_of("metric", MetricRecord)).validate(json.loads(json.dumps(document)))


def test_the_command_lists_kinds_and_prints_one(tmp_path):
    assert run(tmp_path, "schema").out.split("\n")[:-1] == list(KINDS)
    assert run(tmp_path, "schema", "prune plan").out == schema_text("prune plan")
    assert "did you mean 'inspect'?" in run(tmp_path, "schema", "inspekt").error(2)
