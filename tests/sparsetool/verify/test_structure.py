"""What a model shows to its callers must stay."""

import numpy as np
import pytest
from models_in_memory import Graph, mlp, new_model, packed, signature

from sparsetool.verify.structure import check_structure
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.model import Model


def model(*, names=("x", "y"), key="serving_default", entry="input", metadata=(), dtype="float32", outputs=4):
    built = new_model()
    graph = Graph(built)
    quantized = {"scale": 0.5} if dtype == "int8" else {}
    x = graph.tensor(names[0], (1, 8), dtype, **quantized)
    y = graph.tensor(names[1], (1, outputs), dtype, **quantized)
    weight = graph.constant("w", np.ones((outputs, 8), dtype), **({"scale": 0.5} if quantized else {}))
    graph.fully_connected(x, weight, -1, y, version=4 if quantized else 1)
    graph.ends([x], [y])
    built.signatureDefs = None if key is None else [signature(key, {entry: x}, {"output": y})]
    return packed(built)


def refusal(reference, candidate, **more):
    with pytest.raises(VerificationError) as caught:
        check_structure(reference, candidate, stage="encode", **more)
    assert (caught.value.stage, caught.value.tensor) == ("encode", "")
    return caught.value.problem


def test_a_model_has_its_own_structure():
    check_structure(model(), model(), stage="encode")


def test_weights_and_versions_are_no_structure():
    check_structure(mlp([np.ones((2, 3))]), mlp([np.zeros((2, 3))]), stage="encode")


@pytest.mark.parametrize(
    ("candidate", "problem"),
    [
        ({"names": ("x", "z")}, "outputs are z [1, 4] FLOAT32, not y [1, 4] FLOAT32"),
        ({"names": ("image", "y")}, "inputs are image [1, 8] FLOAT32, not x [1, 8] FLOAT32"),
        ({"outputs": 5}, "outputs are y [1, 5] FLOAT32, not y [1, 4] FLOAT32"),
        ({"dtype": "int8"}, "inputs are x [1, 8] INT8, not x [1, 8] FLOAT32"),
        (
            {"key": "other"},
            "signatures are [('other', ['input'], ['output'])], not [('serving_default', ['input'], ['output'])]",
        ),
        (
            {"entry": "image"},
            "signatures are [('serving_default', ['image'], ['output'])], "
            "not [('serving_default', ['input'], ['output'])]",
        ),
        ({"key": None}, "signatures are [], not [('serving_default', ['input'], ['output'])]"),
    ],
)
def test_what_changed_is_named(candidate, problem):
    assert refusal(model(), model(**candidate)) == problem


def test_element_types_do_not_count_for_quantization():
    check_structure(model(), model(dtype="int8"), stage="quantize", same_types=False)
    assert refusal(model(), model(dtype="int8", outputs=5), same_types=False).startswith("outputs are y [1, 5], not")


def test_lost_metadata_is_named():
    from ai_edge_litert import schema_py_generated as schema

    built = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model(), 0))
    built.metadata = [schema.MetadataT(name=b"labels", buffer=0)]
    labelled = packed(built)
    assert refusal(labelled, model()) == "metadata is [], not ['labels']"


def test_an_output_that_moved_is_found():
    read = Model.from_bytes(model())
    graph = read.subgraphs[0]
    graph.outputs = [graph.outputs[0], graph.inputs[0]]
    assert refusal(model(), read.to_bytes()).startswith("outputs are y [1, 4] FLOAT32; x [1, 8] FLOAT32, not y")
