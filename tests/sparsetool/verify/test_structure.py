"""What a model shows to its callers must stay."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed, signature

from sparsetool.verify.structure import check_structure, structure_findings
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.model import Model


def model(*, names=("x", "y"), key="serving_default", entry="input", dtype="float32", outputs=4, resized=None):
    built = new_model()
    graph = Graph(built)
    quantized = {"scale": 0.5} if dtype == "int8" else {}
    x = graph.tensor(names[0], (1, 8), dtype, signature=resized, **quantized)
    y = graph.tensor(names[1], (1, outputs), dtype, **quantized)
    weight = graph.constant("w", np.ones((outputs, 8), dtype), **({"scale": 0.5} if quantized else {}))
    graph.fully_connected(x, weight, -1, y, version=4 if quantized else 1)
    graph.ends([x], [y])
    built.signatureDefs = None if key is None else [signature(key, {entry: x}, {"output": y})]
    return packed(built)


def refusal(reference, candidate, **more):
    """Where and what, of all findings; the check raises the first."""
    found = [(f.where, f.problem) for f in structure_findings(*map(Model.from_bytes, (reference, candidate)), **more)]
    with pytest.raises(VerificationError) as caught:
        check_structure(reference, candidate, stage="encode", **more)
    assert (caught.value.stage, caught.value.tensor, caught.value.problem) == ("encode", *found[0])
    return found


def test_a_model_has_its_own_structure():
    check_structure(model(), model(), stage="encode")


def test_weights_and_versions_are_no_structure():
    check_structure(mlp([np.ones((2, 3))]), mlp([np.zeros((2, 3))]), stage="encode")


@pytest.mark.parametrize(
    ("candidate", "found"),
    [
        (
            {"names": ("x", "z")},
            [
                ("y", "output 0 is z [1, 4] FLOAT32 instead of y [1, 4] FLOAT32"),
                ("serving_default", "the signature's outputs are output (z) instead of output (y)"),
            ],
        ),
        (
            {"names": ("image", "y"), "key": None},
            [
                ("x", "input 0 is image [1, 8] FLOAT32 instead of x [1, 8] FLOAT32"),
                ("serving_default", "the signature is gone"),
            ],
        ),
        ({"outputs": 5}, [("y", "output 0 is y [1, 5] FLOAT32 instead of y [1, 4] FLOAT32")]),
        (
            {"dtype": "int8"},
            [
                ("x", "input 0 is x [1, 8] INT8 instead of x [1, 8] FLOAT32"),
                ("y", "output 0 is y [1, 4] INT8 instead of y [1, 4] FLOAT32"),
            ],
        ),
        (
            {"key": "other"},
            [
                ("serving_default", "the signature is gone; there is other"),
                ("other", "the reference has no such signature"),
            ],
        ),
        (
            {"entry": "image"},
            [("serving_default", "the signature's inputs are image (x) instead of input (x)")],
        ),
        ({"resized": (-1, 8)}, [("x", "input 0 is x [?, 8] FLOAT32 instead of x [1, 8] FLOAT32")]),
    ],
)
def test_what_changed_is_named(candidate, found):
    assert refusal(model(), model(**candidate)) == found


def test_element_types_do_not_count_for_quantization():
    check_structure(model(), model(dtype="int8"), stage="quantize", same_types=False)
    ((where, _),) = refusal(model(), model(dtype="int8", outputs=5), same_types=False)
    assert where == "y"


def labelled(content, name=b"labels"):
    built = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model(), 0))
    built.buffers.append(schema.BufferT(data=np.frombuffer(content, np.uint8)))
    built.metadata = [schema.MetadataT(name=name, buffer=len(built.buffers) - 1)]
    return packed(built)


def test_metadata_that_was_lost_added_or_changed_is_named():
    assert refusal(labelled(b"cat"), model()) == [("labels", "the metadata is gone")]
    assert refusal(model(), labelled(b"cat")) == [("labels", "the reference has no such metadata")]
    changed = refusal(labelled(b"cat"), labelled(b"horse"))
    assert changed == [("labels", "the metadata has other content: 5 bytes instead of 3")]
    check_structure(labelled(b"1.5", b"min_runtime_version"), labelled(b"2.0", b"min_runtime_version"), stage="encode")


def test_an_output_that_moved_is_found():
    read = Model.from_bytes(model())
    graph = read.subgraphs[0]
    graph.outputs = [graph.outputs[0], graph.inputs[0]]
    assert refusal(model(), read.to_bytes()) == [("", "the model has 2 outputs (y, x) instead of 1")]
