"""Negative zeros of float weights become positive ones, and nothing else changes."""

import numpy as np
import pytest
from kernel_sets import run_here
from models_in_memory import Graph, mlp, new_model, packed
from one_op_models import one_op

from sparsetool_converters.model import Model
from sparsetool_converters.passes import Canonicalize, Change, EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT

RNG = np.random.default_rng(0)
NAN = np.float32(np.nan)


def weight(dtype: type = np.float32) -> np.ndarray:
    """[4, 8] with 3 of -0.0 and 5 of +0.0."""
    values = RNG.random((4, 8)).astype(dtype)
    values.flat[:3], values.flat[3:8] = -0.0, 0.0
    return values


def constant(model: Model, name: str) -> np.ndarray:
    (found,) = [t for graph in model.subgraphs for t in graph.tensors if t.name == name]
    return found.array()


def bit_patterns(array: np.ndarray) -> list[int]:
    return array.view(f"u{array.itemsize}").ravel().tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_negative_zeros_of_weights_become_positive(dtype: type) -> None:
    before = weight(dtype)
    model = Model.from_bytes(one_op("FULLY_CONNECTED", before, dequantized=dtype is np.float16))
    changes = Canonicalize()(model)
    assert changes == [Change(tensor="weight", what="3 of -0.0", bytes_before=before.nbytes, bytes_after=before.nbytes)]
    after = constant(Model.from_bytes(model.to_bytes()), "weight")
    assert not np.signbit(after).any()
    assert bit_patterns(after) == bit_patterns(np.where(before == 0, dtype(0), before))


def test_outputs_stay_equal_to_the_bit() -> None:
    data = mlp([weight(), RNG.random((3, 4))], [RNG.random(4), RNG.random(3)])
    model = Model.from_bytes(data)
    Canonicalize()(model)
    x = RNG.random((1, 8)).astype(np.float32)
    assert run_here(model.to_bytes(), x)[0].tobytes() == run_here(data, x)[0].tobytes()


def test_nan_keeps_its_bits_and_numbers_their_sign() -> None:
    values = weight()
    values[3, :4] = [np.float32(-1e-45), NAN, -NAN, -np.inf]
    values.view(np.uint32)[3, 4] = 0xFFC12345  # a NaN with a sign and a message
    model = Model.from_bytes(mlp([values]))
    (change,) = Canonicalize()(model)
    assert change.what == "3 of -0.0"
    assert bit_patterns(constant(model, "w0")[3]) == bit_patterns(values[3])


def test_model_without_negative_zeros_is_left_alone() -> None:
    model = Model.from_bytes(mlp([np.abs(weight())]))
    buffers = list(model.buffers)
    assert Canonicalize()(model) == []
    assert [t.buffer for t in model.subgraphs[0].tensors if t.is_constant] == buffers[1:]


def test_bytes_that_were_read_are_not_written_to() -> None:
    data = bytearray(mlp([weight()]))
    before = bytes(data)
    Canonicalize()(Model.from_bytes(data))
    assert data == before


def test_biases_keep_their_negative_zeros() -> None:
    model = Model.from_bytes(mlp([RNG.random((4, 8))], [np.full(4, -0.0)]))
    assert Canonicalize()(model) == []
    assert np.signbit(constant(model, "b0")).all()


def test_integers_are_left_alone() -> None:
    model = Model.from_bytes(one_op("FULLY_CONNECTED", np.full((4, 16), -128, np.int8)))
    assert Canonicalize()(model) == []


def two_layers_on_one_payload(second: str) -> Model:
    """Two FULLY_CONNECTED whose weights share a buffer; the second tensor's type may differ."""
    model = new_model()
    graph = Graph(model)
    x, y, z = graph.tensor("x", (1, 8)), graph.tensor("y", (1, 8)), graph.tensor("z", (1, 8))
    values = np.zeros((8, 8), np.float32)
    values[:2] = -0.0
    w = graph.constant("w", values)
    other = graph.tensor("other", (8, 8) if second == "float32" else (64,), second)
    graph.subgraph.tensors[other].buffer = graph.subgraph.tensors[w].buffer
    graph.fully_connected(x, w, -1, y)
    if second == "float32":
        graph.fully_connected(y, other, -1, z)
    graph.ends([x], [y])
    return Model.from_bytes(packed(model))


def test_shared_payload_is_changed_once_for_all_that_share_it() -> None:
    model = two_layers_on_one_payload("float32")
    assert [change.what for change in Canonicalize()(model)] == ["16 of -0.0"]
    first, second = (next(t for t in model.subgraphs[0].tensors if t.name == name) for name in ("w", "other"))
    assert first.buffer is second.buffer
    assert not np.signbit(first.array()).any()


def test_payload_that_somebody_reads_as_another_type_is_left_alone() -> None:
    model = two_layers_on_one_payload("int32")
    assert Canonicalize()(model) == []


def test_weights_of_every_subgraph_are_changed() -> None:
    model = new_model()
    for g in range(2):
        graph = Graph(model)
        x, y = graph.tensor("x", (1, 8)), graph.tensor("y", (1, 4))
        graph.fully_connected(x, graph.constant(f"w{g}", weight()), -1, y)
        graph.ends([x], [y])
    assert [c.tensor for c in Canonicalize()(Model.from_bytes(packed(model)))] == ["w0", "w1"]


def test_encoded_weights_are_left_alone() -> None:
    values = np.zeros((48, 96), np.float32)
    values[::3, ::7] = -0.0
    model = Model.from_bytes(mlp([values]))
    EncodeSparse(make_plan(model, LITERT))(model)
    before = model.to_bytes()
    assert Canonicalize()(model) == []
    assert model.to_bytes() == before
