"""Unpacking is the inverse of encoding behind DENSIFY."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from kernel_sets import run_here
from models_in_memory import mlp
from one_op_models import one_op, weight_for

from sparsetool_converters.model import Buffer, Model, Tensor
from sparsetool_converters.passes import Change, Densify, EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT, Route, Target

DENSIFY_ONLY = Target(
    name="densify", rules=tuple(rule for rule in LITERT.rules if rule.route is Route.DENSIFY), hazards=()
)


def encoded(data: bytes, target: Target = DENSIFY_ONLY) -> Model:
    model = Model.from_bytes(data)
    plan = make_plan(model, target)
    assert plan.encoded()
    EncodeSparse(plan)(model)
    return Model.from_bytes(model.to_bytes())


def meaning(model: Model) -> object:
    """Everything of the first subgraph that an interpreter sees, in the file's order."""

    def names(tensors: list[Tensor | None]) -> list[str]:
        return ["" if t is None else t.name for t in tensors]

    graph = model.subgraphs[0]
    return (
        [(t.name, t.shape, t.type_name, t.is_sparse, t.buffer.data is None) for t in graph.tensors],
        [t.array().tobytes() for t in graph.tensors if t.is_constant],
        [(op.name, names(op.inputs), names(op.outputs)) for op in graph.operators],
    )


MODELS = {
    "float32": one_op("CONV_2D", weight_for("CONV_2D", "float32")),
    "float16": one_op("CONV_2D", weight_for("CONV_2D", "float16"), dequantized=True),
    "int8": one_op("CONV_2D", weight_for("CONV_2D", "int8"), "int8"),
    "depthwise": one_op("DEPTHWISE_CONV_2D", weight_for("DEPTHWISE_CONV_2D", "int8"), "int8"),
    "layers": mlp([weight_for("", "float32", shape=(48, 48), seed=i) for i in range(3)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_dense_model_comes_back_from_encoding(name: str) -> None:
    model = encoded(MODELS[name])
    assert meaning(model) != meaning(Model.from_bytes(MODELS[name]))
    Densify()(model)
    assert meaning(Model.from_bytes(model.to_bytes())) == meaning(Model.from_bytes(MODELS[name]))
    # Beside those of the original: none, once nobody uses DENSIFY any more.
    assert "DENSIFY" not in [code.name for code in Model.from_bytes(model.to_bytes()).operator_codes]


def test_change_tells_the_bytes() -> None:
    model = encoded(MODELS["float32"])
    (stored,) = [t for t in model.subgraphs[0].tensors if t.is_sparse]
    (change,) = Densify()(model)
    dense_bytes = weight_for("CONV_2D", "float32").nbytes
    assert change == Change(
        tensor="weight", what="stored dense", bytes_before=stored.buffer.nbytes, bytes_after=dense_bytes
    )


def test_weights_that_a_kernel_reads_sparse_stay() -> None:
    model = encoded(MODELS["layers"], LITERT)
    before = model.to_bytes()
    assert Densify()(model) == []
    assert model.to_bytes() == before


def test_model_without_densify_is_left_alone() -> None:
    model = Model.from_bytes(MODELS["float32"])
    assert Densify()(model) == []
    assert model.to_bytes() == Model.from_bytes(MODELS["float32"]).to_bytes()


def test_densify_of_what_is_computed_stays() -> None:
    model = encoded(MODELS["float32"])
    operator = model.subgraphs[0].operators[0]
    operator.inputs = [next(t for t in model.subgraphs[0].tensors if t.name == "x")]
    assert Densify()(model) == []
    assert model.subgraphs[0].operators[0] is operator


def test_encoded_tensor_of_two_densify_gives_two_dense_ones() -> None:
    model = encoded(MODELS["float32"])
    graph = model.subgraphs[0]
    first = graph.operators[0]
    (stored,), (dense,) = first.inputs, first.outputs
    copy = Tensor(schema.TensorT(**{**vars(dense.fields), "name": b"copy"}), dense.buffer)
    graph.tensors.append(copy)
    graph.operators.insert(0, type(first)(first.fields, first.code, [stored], [copy]))
    assert [change.tensor for change in Densify()(model)] == ["copy", "weight"]
    assert np.array_equal(copy.array(), dense.array())
    assert stored not in graph.tensors


@pytest.mark.parametrize("where", ["inputs", "outputs"])
def test_encoded_tensor_that_callers_see_stays_in_the_model(where: str) -> None:
    model = encoded(MODELS["float32"])
    (stored,) = [t for t in model.subgraphs[0].tensors if t.is_sparse]
    getattr(model.subgraphs[0], where).append(stored)
    Densify()(model)
    assert stored in model.subgraphs[0].tensors
    assert Model.from_bytes(model.to_bytes())


def test_densified_model_computes_what_the_dense_one_does() -> None:
    model = encoded(MODELS["layers"])
    Densify()(model)
    x = np.random.default_rng(0).random((1, 48)).astype(np.float32)
    assert run_here(model.to_bytes(), x)[0].tobytes() == run_here(MODELS["layers"], x)[0].tobytes()


def test_payload_never_takes_the_place_of_the_empty_first_buffer() -> None:
    source = Model.from_bytes(MODELS["float32"])
    for tensor in source.subgraphs[0].tensors:
        if not tensor.is_constant:  # one empty buffer for each, as TensorFlow's converter writes it
            tensor.buffer = Buffer()
    model = encoded(source.to_bytes())
    Densify()(model)
    saved = Model.from_bytes(model.to_bytes())
    assert saved.buffers[0].nbytes == 0
    x = np.random.default_rng(0).random((1, 6, 6, 16)).astype(np.float32)
    assert run_here(saved.to_bytes(), x)[0].tobytes() == run_here(MODELS["float32"], x)[0].tobytes()


def test_published_sparse_model_is_unpacked_whole(published_model: Callable[[str], Path]) -> None:
    data = published_model("face_detection_full_range_sparse.tflite").read_bytes()
    model = Model.from_bytes(data)
    changes = Densify()(model)
    assert len(changes) == sum(op.name == "DENSIFY" for _, op in Model.from_bytes(data).operators())
    assert changes
    assert not any(t.is_sparse for t in model.subgraphs[0].tensors)
    shape = model.subgraphs[0].inputs[0].shape
    x = np.random.default_rng(0).random(shape).astype(np.float32)
    for found, expected in zip(run_here(model.to_bytes(), x), run_here(data, x), strict=True):
        assert np.allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
