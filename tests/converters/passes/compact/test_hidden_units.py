"""Hidden units that nobody listens to go, and the outputs stay."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from kernel_sets import RESOLVERS, run_here
from models_in_memory import Graph, mlp, new_model, packed, signature

from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.passes import Change, Compact, EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT

RNG = np.random.default_rng(0)
UNITS, INPUTS, OUTPUTS = 12, 16, 5
DEAD = [0, 3, 4, 11]
ALIVE = [i for i in range(UNITS) if i not in DEAD]


def outgoing(dead: list[int] = DEAD, shape: tuple[int, int] = (OUTPUTS, UNITS)) -> np.ndarray:
    weight = RNG.integers(1, 100, shape).astype(np.float32) / 100
    weight[:, dead] = 0
    return weight


def constant(model: Model, name: str) -> Tensor:
    (found,) = [t for t in model.subgraphs[0].tensors if t.name == name]
    return found


def compacted(data: bytes) -> tuple[Model, list[Change]]:
    model = Model.from_bytes(data)
    changes = list(Compact()(model))
    return Model.from_bytes(model.to_bytes()), changes


def assert_same_outputs(before: bytes, after: bytes, x: np.ndarray, tolerance: float) -> None:
    for kernel_set in RESOLVERS:
        (expected,), (found,) = (run_here(data, x, kernel_set=kernel_set) for data in (before, after))
        worst = np.abs(expected.astype(np.float64) - found).max()
        assert worst <= tolerance * np.abs(expected.astype(np.float64)).max(), kernel_set


def test_row_bias_and_column_of_a_dead_unit_go() -> None:
    w0, w1, b0 = RNG.random((UNITS, INPUTS)).astype(np.float32), outgoing(), RNG.random(UNITS).astype(np.float32)
    data = mlp([w0, w1], [b0, RNG.random(OUTPUTS)], batch=3)
    model, changes = compacted(data)
    assert np.array_equal(constant(model, "w0").array(), w0[ALIVE])
    assert np.array_equal(constant(model, "b0").array(), b0[ALIVE])
    assert np.array_equal(constant(model, "w1").array(), w1[:, ALIVE])
    assert constant(model, "h0").shape == (3, len(ALIVE))
    assert changes == [
        Change(tensor="w0", what="4 of 12 outputs removed", bytes_before=12 * 16 * 4, bytes_after=8 * 16 * 4),
        Change(tensor="b0", what="4 of 12 channels removed", bytes_before=12 * 4, bytes_after=8 * 4),
        Change(tensor="w1", what="4 of 12 inputs removed", bytes_before=5 * 12 * 4, bytes_after=5 * 8 * 4),
    ]
    assert_same_outputs(data, model.to_bytes(), RNG.random((3, INPUTS)).astype(np.float32), 1e-5)


def test_bias_is_not_needed() -> None:
    model, changes = compacted(mlp([RNG.random((UNITS, INPUTS)), outgoing()]))
    assert [c.tensor for c in changes] == ["w0", "w1"]
    assert constant(model, "w0").shape == (len(ALIVE), INPUTS)


def test_model_without_dead_units_is_left_alone() -> None:
    data = mlp([RNG.random((UNITS, INPUTS)), outgoing([])])
    model, changes = compacted(data)
    assert changes == []
    assert model.to_bytes() == Model.from_bytes(data).to_bytes()


def test_negative_zeros_are_dead_too() -> None:
    weight = outgoing()
    weight[:, DEAD] = -0.0
    assert compacted(mlp([RNG.random((UNITS, INPUTS)), weight]))[1]


def test_units_before_units_that_go_are_found_in_turn() -> None:
    """Units of the second layer go; only they read some units of the first; only those read some of the zeroth."""
    w0, w1, w2 = (RNG.random(shape) for shape in ((8, INPUTS), (8, 8), (8, 8)))
    w3 = RNG.random((OUTPUTS, 8))
    w3[:, :4] = 0  # units 0 to 3 of layer 2 are dead
    w2[4:, :4] = 0  # and units 0 to 3 of layer 1 are read by those alone
    w1[4:, :4] = 0
    data = mlp([w0, w1, w2, w3], [RNG.random(8), RNG.random(8), RNG.random(8), None])
    model, changes = compacted(data)
    shapes = [constant(model, f"w{i}").shape for i in range(4)]
    assert shapes == [(4, INPUTS), (4, 4), (4, 4), (OUTPUTS, 4)]
    assert Compact()(model) == []
    assert len(changes) == 4 + 3  # weights, and the biases of all but the last
    assert_same_outputs(data, model.to_bytes(), RNG.random((1, INPUTS)).astype(np.float32), 1e-5)


def test_one_unit_stays_if_all_are_dead() -> None:
    data = mlp([RNG.random((UNITS, INPUTS)), np.zeros((OUTPUTS, UNITS))], [RNG.random(UNITS), RNG.random(OUTPUTS)])
    model, changes = compacted(data)
    assert changes[0].what == "11 of 12 outputs removed"
    assert (constant(model, "w0").shape, constant(model, "w1").shape) == ((1, INPUTS), (OUTPUTS, 1))
    assert Compact()(model) == []
    assert_same_outputs(data, model.to_bytes(), RNG.random((1, INPUTS)).astype(np.float32), 0)


def int8_pair(
    *, per_channel: bool = True, zero_point: int = 0, activation: str = "int8", share: str = "", shuffled: bool = False
) -> bytes:
    """Two int8 layers with RELU between them, int8 or float activations."""
    model = new_model()
    graph = Graph(model)
    w0, w1 = RNG.integers(-127, 128, (UNITS, INPUTS)).astype(np.int8), (outgoing() * 100).astype(np.int8)
    scales = [np.linspace(0.01, 0.02, n) if per_channel else 0.01 for n in (UNITS, OUTPUTS)]
    if activation == "int8":
        x, h, y = (
            graph.tensor(name, (2, n), "int8", scale=s, zero_point=z)
            for name, n, s, z in (("x", INPUTS, 0.02, -3), ("h", UNITS, 0.05, -128), ("y", OUTPUTS, 0.1, 4))
        )
        biases = [graph.constant("b0", RNG.integers(-900, 900, UNITS).astype(np.int32), scale=scales[0] * 0.02)]
        biases += [graph.constant("b1", RNG.integers(-900, 900, OUTPUTS).astype(np.int32), scale=scales[1] * 0.05)]
    else:
        x, h, y = (graph.tensor(name, (2, n)) for name, n in (("x", INPUTS), ("h", UNITS), ("y", OUTPUTS)))
        biases = [graph.constant("b0", RNG.random(UNITS).astype(np.float32)), -1]
    first = graph.constant("w0", w0, scale=scales[0])
    second = graph.constant("w1", w1, scale=scales[1], zero_point=zero_point)
    version = 4 if activation == "int8" else 12
    graph.fully_connected(x, first, biases[0], h, activation=1, version=version, shuffled=shuffled)
    graph.fully_connected(h, second, biases[1], y, version=version, shuffled=shuffled)
    graph.ends([x], [y])
    return packed(model)


@pytest.mark.parametrize("per_channel", [True, False])
def test_int8_stays_equal_to_the_bit_and_scales_of_dead_units_go(per_channel: bool) -> None:
    data = int8_pair(per_channel=per_channel)
    model, changes = compacted(data)
    assert len(changes) == 3
    for name in ("w0", "b0"):
        before, after = constant(Model.from_bytes(data), name), constant(model, name)
        assert before.scales is not None
        assert after.scales is not None
        assert after.scales.tolist() == before.scales[ALIVE if per_channel else [0]].tolist()
        assert len(after.quantization.zeroPoint) == len(after.scales)
    assert constant(model, "w1").scales.tolist() == constant(Model.from_bytes(data), "w1").scales.tolist()
    assert_same_outputs(data, model.to_bytes(), RNG.integers(-128, 128, (2, INPUTS)).astype(np.int8), 0)


def test_float16_behind_dequantize_is_cut_on_both_sides() -> None:
    model = new_model()
    graph = Graph(model)
    x, h, y = (graph.tensor(name, (1, n)) for name, n in (("x", INPUTS), ("h", UNITS), ("y", OUTPUTS)))
    w0 = graph.dequantized(graph.constant("w0", RNG.random((UNITS, INPUTS)).astype(np.float16)))
    b0 = graph.dequantized(graph.constant("b0", RNG.random(UNITS).astype(np.float16)))
    w1 = graph.dequantized(graph.constant("w1", outgoing().astype(np.float16)))
    graph.fully_connected(x, w0, b0, h, activation=1)
    graph.fully_connected(h, w1, -1, y)
    graph.ends([x], [y])
    data = packed(model)
    after, changes = compacted(data)
    assert sorted(c.tensor for c in changes) == ["b0", "w0", "w1"]
    for name, shape in (("w0", (8, INPUTS)), ("b0", (8,)), ("w1", (OUTPUTS, 8))):
        assert constant(after, name).shape == constant(after, f"{name}/float").shape == shape
    assert_same_outputs(data, after.to_bytes(), RNG.random((1, INPUTS)).astype(np.float32), 1e-5)


def test_shape_signature_follows_the_shape() -> None:
    model = schema.ModelT.InitFromPackedBuf(mlp([RNG.random((UNITS, INPUTS)), outgoing()]), 0)
    for tensor in model.subgraphs[0].tensors:
        batch = [-1] if tensor.name in (b"x", b"h0", b"y") else [tensor.shape[0]]
        tensor.shapeSignature = [*batch, tensor.shape[1]]
    after, _ = compacted(packed(model))
    assert constant(after, "h0").fields.shapeSignature.tolist() == [-1, 8]
    assert constant(after, "w0").fields.shapeSignature.tolist() == [8, INPUTS]


def index_of(graph: Any, name: str) -> int:
    return [t.name for t in graph.tensors].index(name.encode())


def second_consumer(model: Any, graph: Any) -> None:
    edit = Graph(model)
    model.subgraphs.pop()
    edit.subgraph = graph
    out = edit.tensor("negative", (1, UNITS))
    edit.op(schema.BuiltinOperator.NEG, [index_of(graph, "h0")], [out], schema.NegOptionsT())
    graph.outputs = [*graph.outputs, out]


def second_reader_of(name: str) -> Callable[[Any, Any], None]:
    def change(model: Any, graph: Any) -> None:
        edit = Graph(model)
        model.subgraphs.pop()
        edit.subgraph = graph
        source = index_of(graph, name)
        out = edit.tensor("softmax", graph.tensors[source].shape)
        edit.op(schema.BuiltinOperator.SOFTMAX, [source], [out], schema.SoftmaxOptionsT())

    return change


def named(name: str) -> Callable[[Any, Any], None]:
    def change(model: Any, graph: Any) -> None:
        model.signatureDefs = [signature("s", {"x": 0}, {"y": graph.outputs[0], "seen": index_of(graph, name)})]

    return change


def as_output(name: str) -> Callable[[Any, Any], None]:
    return lambda model, graph: setattr(graph, "outputs", [*graph.outputs, index_of(graph, name)])


def without_options(model: Any, graph: Any) -> None:
    for operator in graph.operators:
        operator.builtinOptions, operator.builtinOptionsType = None, 0


def of_other_units(model: Any, graph: Any) -> None:
    graph.tensors[index_of(graph, "h0")].shape = [2, UNITS // 2]


def under_a_byte(model: Any, graph: Any) -> None:
    tensor = graph.tensors[index_of(graph, "w0")]
    tensor.type, tensor.shape = schema.TensorType.INT4, [UNITS, INPUTS]


@pytest.mark.parametrize(
    "change",
    [
        as_output("h0"),
        named("h0"),
        second_consumer,
        *(make(name) for make in (second_reader_of, as_output, named) for name in ("w0", "w1", "b0")),
        without_options,
        of_other_units,
        under_a_byte,
    ],
)
def test_pair_that_somebody_else_looks_into_is_left_alone(change: Callable[[Any, Any], None]) -> None:
    model = schema.ModelT.InitFromPackedBuf(
        mlp([RNG.random((UNITS, INPUTS)), outgoing()], [RNG.random(UNITS), None]), 0
    )
    change(model, model.subgraphs[0])
    after, changes = compacted(packed(model))
    assert changes == []
    assert after.to_bytes() == Model.from_bytes(packed(model)).to_bytes()


def test_weights_that_quantize_their_input_on_the_fly_are_left_alone() -> None:
    assert compacted(int8_pair(activation="float32"))[1] == []


def test_stored_zero_that_is_no_zero_is_left_alone() -> None:
    assert compacted(int8_pair(zero_point=3))[1] == []


def test_shuffled_weights_are_left_alone() -> None:
    assert compacted(int8_pair(shuffled=True))[1] == []


def test_encoded_weights_are_left_alone() -> None:
    model = Model.from_bytes(mlp([RNG.random((64, INPUTS)), outgoing(list(range(60)), (48, 64))]))
    EncodeSparse(make_plan(model, LITERT))(model)
    assert any(t.is_sparse for t in model.subgraphs[0].tensors)
    assert Compact()(model) == []


def test_bias_of_another_length_is_left_alone() -> None:
    model = schema.ModelT.InitFromPackedBuf(mlp([RNG.random((UNITS, INPUTS)), outgoing()], [RNG.random(1), None]), 0)
    assert compacted(packed(model))[1] == []


def test_pairs_of_every_subgraph_are_cut() -> None:
    one = schema.ModelT.InitFromPackedBuf(mlp([RNG.random((UNITS, INPUTS)), outgoing()]), 0)
    two = schema.ModelT.InitFromPackedBuf(mlp([RNG.random((UNITS, INPUTS)), outgoing()]), 0)
    for tensor in two.subgraphs[0].tensors:
        tensor.buffer += len(one.buffers) * (tensor.buffer > 0)
    one.buffers += two.buffers
    one.subgraphs += two.subgraphs
    _, changes = compacted(packed(one))
    assert [c.tensor for c in changes] == ["w0", "w1"] * 2


@pytest.mark.parametrize("name", ["w0", "w1"])
def test_a_long_payload_that_another_tensor_holds_is_not_stored_a_second_time(name: str) -> None:
    model = schema.ModelT.InitFromPackedBuf(mlp([RNG.random((64, INPUTS)), outgoing([1, 2], (32, 64))]), 0)
    graph = model.subgraphs[0]
    source = graph.tensors[index_of(graph, name)]
    graph.tensors.append(schema.TensorT(name=b"other", shape=source.shape, buffer=source.buffer))
    assert compacted(packed(model))[1] == []


def test_two_signatures_with_the_same_weights_are_cut_alike() -> None:
    one = schema.ModelT.InitFromPackedBuf(mlp([RNG.random((64, INPUTS)), outgoing([1, 2], (32, 64))]), 0)
    two = schema.ModelT.InitFromPackedBuf(packed(one), 0)
    one.subgraphs += two.subgraphs
    data = packed(one)
    model, changes = compacted(data)
    assert [c.tensor for c in changes] == ["w0", "w1"] * 2
    shapes = [[t.shape for t in graph.tensors if t.is_constant] for graph in model.subgraphs]
    assert shapes == [[(62, INPUTS), (32, 62)]] * 2
    assert len(model.to_bytes()) < len(data)
