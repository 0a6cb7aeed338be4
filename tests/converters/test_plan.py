"""What is decided for each constant, and why."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed, signature
from one_op_models import WEIGHT_SHAPES, one_op, weight_for

from sparsetool_converters.model import Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import Encode, Keep, make_plan
from sparsetool_converters.targets import LITERT, Route, Rule, Target

FULLY_CONNECTED = weight_for("FULLY_CONNECTED", "float32")


def decisions(data: bytes) -> list[Encode | Keep]:
    return list(make_plan(Model.from_bytes(data), LITERT).decisions)


def reason(data: bytes) -> str:
    """Why the only constant of note stays as it is."""
    (decision,) = decisions(data)
    assert isinstance(decision, Keep)
    return decision.reason


def graph_with(build: Callable[[Graph, int], None], weight: np.ndarray = FULLY_CONNECTED) -> bytes:
    """y = FULLY_CONNECTED(x, w), and what `build` adds to it; tensors are x 0, y 1, w 2."""
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, weight.shape[1])), graph.tensor("y", (1, weight.shape[0]))
    w = graph.constant("w", weight)
    graph.fully_connected(x, w, -1, y)
    graph.ends([x], [y])
    build(graph, w)
    return packed(model)


def test_smallest_way_is_chosen_and_its_numbers_are_told() -> None:
    (decision,) = decisions(graph_with(lambda graph, w: None))
    assert isinstance(decision, Encode)
    assert (decision.layout, decision.rule.route) == ("csr", Route.NATIVE)
    assert decision.dense_bytes == FULLY_CONNECTED.nbytes
    assert decision.zeros == np.count_nonzero(FULLY_CONNECTED == 0)
    assert decision.sparsity == decision.zeros / FULLY_CONNECTED.size
    assert decision.reason == f"csr, native: {decision.encoded_bytes:,} of {FULLY_CONNECTED.nbytes:,} bytes"


def test_blocks_are_chosen_where_zeros_come_in_blocks() -> None:
    weight = weight_for("FULLY_CONNECTED", "float32", block=4)
    (decision,) = decisions(graph_with(lambda graph, w: None, weight))
    assert isinstance(decision, Encode)
    assert decision.layout == "block 1x4"


def test_cost_at_run_time_is_part_of_the_reason() -> None:
    (decision,) = decisions(one_op("CONV_2D", weight_for("CONV_2D", "float32")))
    assert isinstance(decision, Encode)
    assert decision.reason.endswith("unpacked at load: RAM and load time of the dense tensor")


def test_index_vectors_go_along_the_axis_where_they_are_shortest() -> None:
    (decision,) = decisions(one_op("CONV_2D", weight_for("CONV_2D", "float32", shape=(64, 3, 3, 8))))
    assert isinstance(decision, Encode)
    assert decision.layout == "csr on axis 0"


def test_weight_without_zeros_is_kept() -> None:
    assert reason(graph_with(lambda graph, w: None, np.ones((48, 96), np.float32))) == "has no zeros"


def test_negative_zeros_are_no_zeros() -> None:
    assert reason(graph_with(lambda graph, w: None, np.full((48, 96), -0.0, np.float32))) == "has no zeros"


def test_weight_that_saves_too_little_is_kept_with_numbers() -> None:
    weight = weight_for("FULLY_CONNECTED", "float32", zeros=0.25)
    zeros = np.count_nonzero(weight == 0) / weight.size
    found = reason(graph_with(lambda graph, w: None, weight))
    assert found.startswith(f"{zeros:.1%} zeros: the smallest encoding (csr, native) takes 1")
    assert "of 18,432 bytes, and less than 10% saved is not worth it" in found


STRANGER = "has 2 readers; several are served only if all are FULLY_CONNECTED and come to it in one way"


def second_reader(graph: Graph, w: int, *, activation: int = 0) -> None:
    y = graph.tensor("y2", (1, FULLY_CONNECTED.shape[0]))
    graph.fully_connected(0, w, -1, y, activation=activation)
    graph.ends([0], [1, y])


def test_weight_of_several_fully_connected_is_chosen_for_as_that_of_one() -> None:
    (decision,), (alone,) = (decisions(graph_with(build)) for build in (second_reader, lambda graph, w: None))
    assert isinstance(decision, Encode)
    assert isinstance(alone, Encode)
    assert (decision.choices, decision.choice, decision.reason) == (alone.choices, alone.choice, alone.reason)


def test_weight_that_is_read_as_something_else_too_is_kept() -> None:
    def negated(graph: Graph, w: int) -> None:
        made = graph.tensor("negative", FULLY_CONNECTED.shape)
        graph.op(schema.BuiltinOperator.NEG, [w], [made], schema.NegOptionsT())
        graph.ends([0], [1, made])

    assert reason(graph_with(negated)) == STRANGER


def test_weight_that_one_reads_through_dequantize_and_one_as_it_is_is_kept() -> None:
    def hybrid(graph: Graph, w: int) -> None:
        second_reader(graph, graph.dequantized(w))

    weight = weight_for("FULLY_CONNECTED", "int8", block=16)
    assert reason(graph_with(hybrid, weight)) == STRANGER


def test_weight_of_several_operators_of_another_kind_is_kept() -> None:
    def again(graph: Graph, made: int) -> None:
        y = graph.tensor("y2", (1, 6, 6, 32))
        graph.op(schema.BuiltinOperator.CONV_2D, [0, made, -1], [y], schema.Conv2DOptionsT(strideH=1, strideW=1))

    assert reason(dequantized_conv(again)) == STRANGER


@pytest.mark.parametrize(("fused", "chosen"), [("RELU", Encode), ("TANH", Keep)])
def test_all_readers_must_be_such_as_the_way_is_open_to(fused: str, chosen: type) -> None:
    model = new_model()
    graph = Graph(model)
    x, outputs = graph.tensor("x", (1, 96)), [graph.tensor(name, (1, 48)) for name in ("y1", "y2")]
    made = graph.dequantized(graph.constant("w", weight_for("FULLY_CONNECTED", "float16")))
    for y, activation in zip(outputs, ("NONE", fused), strict=True):
        graph.fully_connected(x, made, -1, y, activation=getattr(schema.ActivationFunctionType, activation))
    graph.ends([x], outputs)
    (decision,) = decisions(packed(model))
    assert isinstance(decision, chosen)
    assert isinstance(decision, Encode) or decision.reason.endswith("version 1, fused TANH sparse on litert")


def dequantized_conv(build: Callable[[Graph, int], None]) -> bytes:
    """A convolution by float16 behind DEQUANTIZE, and what is done with the float tensor."""
    model = new_model()
    graph = Graph(model)
    weight = weight_for("CONV_2D", "float16")
    x, y = graph.tensor("x", (1, 6, 6, 16)), graph.tensor("y", (1, 6, 6, 32))
    made = graph.dequantized(graph.constant("w", weight))
    graph.op(schema.BuiltinOperator.CONV_2D, [x, made, -1], [y], schema.Conv2DOptionsT(strideH=1, strideW=1))
    graph.ends([x], [y])
    build(graph, made)
    return packed(model)


def test_dequantized_weight_that_somebody_else_reads_is_kept() -> None:
    def negated(graph: Graph, made: int) -> None:
        out = graph.tensor("negative", WEIGHT_SHAPES["CONV_2D"])
        graph.op(schema.BuiltinOperator.NEG, [made], [out], schema.NegOptionsT())

    assert isinstance(decisions(dequantized_conv(lambda graph, made: None))[0], Encode)
    assert reason(dequantized_conv(negated)) == STRANGER


SEEN = "is an input or output of its subgraph or of a signature, too"


def test_dequantized_weight_that_is_an_output_is_kept() -> None:
    assert reason(dequantized_conv(lambda graph, made: graph.ends([0], [1, made]))) == SEEN


@pytest.mark.parametrize(
    "show",
    [
        lambda graph, w: graph.ends([0], [1, w]),
        lambda graph, w: graph.ends([0, w], [1]),
        lambda graph, w: setattr(graph.model, "signatureDefs", [signature("s", {"x": 0}, {"y": 1, "w": w})]),
        lambda graph, w: setattr(graph.model, "signatureDefs", [signature("s", {"x": 0, "w": w}, {"y": 1})]),
    ],
    ids=["output", "input", "signature output", "signature input"],
)
def test_weight_that_callers_see_is_kept(show: Callable[[Graph, int], None]) -> None:
    assert reason(graph_with(show)) == SEEN


def test_variable_is_kept() -> None:
    data = graph_with(lambda graph, w: setattr(graph.subgraph.tensors[w], "isVariable", True))
    assert reason(data) == "is a variable, which the model may change"


def test_weights_that_share_a_payload_are_kept() -> None:
    def shared(graph: Graph, w: int) -> None:
        other, y = graph.tensor("w2", FULLY_CONNECTED.shape), graph.tensor("y2", (1, FULLY_CONNECTED.shape[0]))
        graph.subgraph.tensors[other].buffer = graph.subgraph.tensors[w].buffer
        graph.fully_connected(0, other, -1, y)

    found = decisions(graph_with(shared))
    assert [d.reason for d in found] == ["its payload is shared by 2 tensors"] * 2


def test_refused_use_is_kept_with_effect_and_source() -> None:
    found = reason(one_op("CONV_2D", weight_for("CONV_2D", "int8")))
    assert found.startswith("int8 weights behind DENSIFY fail to load under XNNPACK when activations are float32 (")
    assert "xnnpack_delegate.cc" in found


def test_dynamic_range_convolution_is_never_encoded_however_many_zeros_it_has() -> None:
    for per_channel in (True, False):
        weight = np.zeros((64, 3, 3, 64), np.int8)
        weight[0, 0, 0, 0] = 1
        assert "fail to load under XNNPACK" in reason(one_op("CONV_2D", weight, per_channel=per_channel))


def test_unknown_use_is_kept() -> None:
    found = reason(one_op("CONV_2D", weight_for("CONV_2D", "int8"), "int16"))
    assert found.startswith("nothing is known to run CONV_2D with INT8 weights and INT16 activations")


def test_fused_activation_that_no_rule_covers_is_kept() -> None:
    weight = weight_for("CONV_2D", "float16")
    tanh = schema.ActivationFunctionType.TANH
    assert reason(one_op("CONV_2D", weight, dequantized=True, fused=tanh)) == (
        "nothing is known to run CONV_2D with FLOAT16 weights through DEQUANTIZE and FLOAT32 activations "
        "and fused TANH sparse on litert"
    )
    assert isinstance(decisions(one_op("CONV_2D", weight_for("CONV_2D", "float32"), fused=tanh))[0], Encode)


def test_large_constant_that_is_no_weight_is_kept_and_a_small_one_is_not_mentioned() -> None:
    model = new_model()
    graph = Graph(model)
    x, y, z = (graph.tensor(name, (1, 250)) for name in "xyz")
    large, small = np.zeros((1, 250), np.float32), np.zeros((1, 1), np.float32)
    graph.op(schema.BuiltinOperator.ADD, [x, graph.constant("large", large)], [y], schema.AddOptionsT())
    graph.op(schema.BuiltinOperator.ADD, [y, graph.constant("small", small)], [z], schema.AddOptionsT())
    graph.ends([x], [z])
    (decision,) = decisions(packed(model))
    assert (decision.name, decision.op) == ("large", "")
    assert decision.reason == "is not a weight of an operator that reads sparse weights"


def test_weight_that_arrived_encoded_is_kept() -> None:
    for data in (
        graph_with(lambda graph, w: None),
        one_op("CONV_2D", weight_for("CONV_2D", "float32")),
        one_op("CONV_2D", weight_for("CONV_2D", "float16"), dequantized=True),
    ):
        model = Model.from_bytes(data)
        EncodeSparse(make_plan(model, LITERT))(model)
        assert reason(model.to_bytes()) == "arrived encoded"


def test_elements_under_a_byte_are_kept() -> None:
    model = schema.ModelT.InitFromPackedBuf(one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8")), 0)
    tensor = model.subgraphs[0].tensors[0]
    tensor.type, tensor.shape = schema.TensorType.INT4, [48, 192]
    assert reason(packed(model)).startswith("DENSIFY unpacks float32, float16 and int8 only")


def native_only(rule: Rule) -> bool:
    return rule.route is Route.NATIVE


def routes(weight: np.ndarray, activation: str) -> list[str]:
    model = Model.from_bytes(one_op("FULLY_CONNECTED", weight, activation))
    native = Target(name="native", rules=tuple(filter(native_only, LITERT.rules)), hazards=())
    return [d.layout if isinstance(d, Encode) else d.reason for d in make_plan(model, native).decisions]


def in_blocks(columns: int, blocks_per_row: int) -> np.ndarray:
    """Int8 [40, columns] whose first row has this many blocks of 16, all others none."""
    weight = np.zeros((40, columns), np.int8)
    weight[0, : 16 * blocks_per_row] = 1
    return weight


NO_BLOCK = "no block that FULLY_CONNECTED with INT8 weights and {} activations can use divides its shape [40, {}]"


def test_hybrid_ledger_holds_4096_columns_and_255_blocks_a_row() -> None:
    assert routes(in_blocks(4096, 255), "float32") == ["block 1x16"]
    assert routes(in_blocks(4096, 256), "float32") == [NO_BLOCK.format("FLOAT32", 4096)]
    assert routes(in_blocks(4112, 3), "float32") == [NO_BLOCK.format("FLOAT32", 4112)]


def test_int8_kernel_has_no_such_limit() -> None:
    assert routes(in_blocks(8192, 400), "int8") == ["block 1x16"]


def test_shape_that_blocks_do_not_divide_has_no_native_way() -> None:
    assert routes(in_blocks(100, 1), "int8") == [NO_BLOCK.format("INT8", 100)]


def test_plan_does_not_touch_the_model() -> None:
    model = Model.from_bytes(mlp([weight_for("FULLY_CONNECTED", "float32"), weight_for("", "float32", shape=(64, 48))]))
    before = model.to_bytes()
    first, second = make_plan(model, LITERT), make_plan(model, LITERT)
    assert model.to_bytes() == before
    assert first == second
    assert len(first.encoded()) == 2


def without_least_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsetool_converters.plan.MIN_SAVING_RATIO", -1e6)


def growth(data: bytes, target: Target) -> tuple[int, int, int]:
    """Bytes of the file that encoding really took or gave, the plan's estimate of it, and encoded tensors."""
    model = Model.from_bytes(data)
    before = len(model.to_bytes())
    plan = make_plan(model, target)
    estimate = sum(d.encoded_bytes - d.dense_bytes for d in plan.encoded())
    EncodeSparse(plan)(model)
    return len(model.to_bytes()) - before, estimate, len(plan.encoded())


SHAPES: dict[str, list[tuple[int, ...]]] = {
    "CONV_2D": [(7, 3, 2, 16), (32, 1, 1, 32)],
    "DEPTHWISE_CONV_2D": [(1, 3, 3, 48)],
    "TRANSPOSE_CONV": [(5, 3, 3, 16)],
    "GATHER": [(40,), (40, 16), (5, 4, 3, 2, 16)],
}
DTYPES = {"FLOAT32": "float32", "FLOAT16": "float16", "INT8": "int8", "INT16": "int16"}


@pytest.mark.parametrize("zeros", [0.5, 0.99])
@pytest.mark.parametrize("rule", LITERT.rules, ids=lambda rule: f"{rule.use} {rule.route}")
def test_estimate_is_what_the_file_grows_by_or_a_little_more(
    rule: Rule, zeros: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_least_saving(monkeypatch)
    for shape in SHAPES.get(rule.use.op, [(7, 48), (64, 16), (33, 112)]):
        for block in rule.blocks or ((1, 1),):
            weight = weight_for(rule.use.op, DTYPES[rule.use.weight], shape=shape, zeros=zeros, block=block[1])
            weight.flat[0], weight.flat[-1] = 1, 0
            data = one_op(rule.use.op, weight, DTYPES[rule.use.activation], dequantized=rule.use.dequantized)
            one_block = replace(rule, blocks=(block,)) if rule.blocks else rule
            real, estimate, n_encoded = growth(data, Target(name="one rule", rules=(one_block,), hazards=()))
            assert n_encoded == 1 or (n_encoded > 1 and "LSTM" in rule.use.op)  # each gate that has a zero
            assert estimate - 200 * n_encoded < real <= estimate, shape


@pytest.mark.parametrize("route", [Route.NATIVE, Route.DENSIFY])
def test_estimate_holds_for_many_tensors_and_long_names(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    without_least_saving(monkeypatch)
    weights = [weight_for("", "float32", shape=(33 + i, 33 + i - (i > 0)), seed=i) for i in range(8)]
    model: Any = schema.ModelT.InitFromPackedBuf(mlp(weights), 0)
    for tensor in model.subgraphs[0].tensors:
        tensor.name = tensor.name + b"/a_long_name_such_as_exporters_make" * 20
    target = Target(name=route, rules=tuple(r for r in LITERT.rules if r.route is route), hazards=())
    real, estimate, n_encoded = growth(packed(model), target)
    assert n_encoded == 8
    assert estimate - 8 * 250 < real <= estimate
