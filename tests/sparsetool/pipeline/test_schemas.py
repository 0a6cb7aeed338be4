"""Published schemas are what the code generates, and what commands print keeps them."""

from pathlib import Path

import numpy as np
import pytest
from command_line import run
from jsonschema import Draft202012Validator, ValidationError
from models_in_memory import mlp

from sparsetool.pipeline.schemas import KINDS, schema_files, schema_of
from sparsetool_converters.errors import UsageError

PUBLISHED = Path(__file__).parents[3] / "docs" / "schemas"


def test_the_published_schemas_are_those_of_the_code(request):
    files = schema_files()
    if request.config.getoption("--update-goldens"):
        for path in PUBLISHED.glob("*.json"):
            path.unlink()
        for name, text in files.items():
            (PUBLISHED / name).write_text(text)
    assert {path.name: path.read_text() for path in PUBLISHED.glob("*.json")} == files, (
        "write them anew with pytest tests/sparsetool/pipeline/test_schemas.py --update-goldens, and review the change"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_schema_is_one(kind):
    schema = schema_of(kind)
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["kind"] == {"const": kind}
    with pytest.raises(ValidationError, match="required"):
        Draft202012Validator(schema).validate({})


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="there are bench, compress"):
        schema_of("letters")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents")
    rng = np.random.default_rng(8)
    weights = [rng.normal(size=(48, 64)) * (rng.random((48, 64)) > 0.9), rng.normal(size=(7, 48))]
    (folder / "model.tflite").write_bytes(mlp(weights))
    (folder / "broken.tflite").write_bytes(mlp([weights[0], weights[1] * np.nan]))
    return folder


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("compress", "model.tflite", "-o", "small.tflite", "--force"), 0),
        (("densify", "model.tflite", "-o", "dense.tflite", "--force"), 0),
        (("plan", "model.tflite"), 0),
        (("pack", "model.tflite", "-o", "packed.tflz", "--force"), 0),
        (("inspect", "model.tflite"), 0),
        (("explain", "model.tflite"), 0),
        (("quantizations",), 0),
        (("diff", "model.tflite", "broken.tflite"), 0),
        (("verify", "model.tflite", "model.tflite"), 0),
        (("verify", "model.tflite", "broken.tflite"), 4),
        (("bench", "model.tflite", "model.tflite", "--time", "1"), 0),
    ],
    ids=lambda value: "-".join(value[:3]) if isinstance(value, tuple) else None,
)
def test_what_a_command_prints_keeps_its_schema(folder, arguments, code):
    finished = run(folder, *arguments, "--json")
    assert finished.code == code, finished.err
    Draft202012Validator(schema_of(finished.json["kind"])).validate(finished.json)


def test_the_command_prints_a_schema_and_lists_the_kinds(folder):
    assert run(folder, "schema").out.split("\n")[:-1] == list(KINDS)
    assert run(folder, "schema", "verify").json == schema_of("verify")
    assert "there is no document of the kind" in run(folder, "schema", "letters").error(2)
