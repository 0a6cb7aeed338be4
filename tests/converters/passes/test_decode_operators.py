"""Constants stored for TFLM_DECODE, and stored dense again."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from micro_models import (
    decoded,
    of_one_operator,
    one_weight_of_two_operators,
    pruned,
    two_branches,
    two_weights_of_one_operator,
)
from models_in_memory import Graph, mlp, new_model, packed
from one_op_models import one_op, weight_for

from sparsetool_converters.costs import DECODE_OVERHEAD_BYTES, Objective
from sparsetool_converters.errors import EncodingError
from sparsetool_converters.model import Model
from sparsetool_converters.model.decode_operator import decoded_constants
from sparsetool_converters.passes import Densify, EncodeSparse
from sparsetool_converters.passes.decode_operators import decoded_tensors, insert_decodes
from sparsetool_converters.plan import Encode, Keep, make_plan
from sparsetool_converters.targets import LITERT, TFLM
from sparsetool_converters.targets.lint import lint

MODELS = {
    "one weight of two operators": one_weight_of_two_operators,
    "two branches": two_branches,
    "float": lambda: mlp([pruned((48, 64)), pruned((32, 48))], [np.ones(48), None]),
    "int8": lambda: one_op("CONV_2D", weight_for("CONV_2D", "int8"), "int8"),
    "dequantized": lambda: one_op("CONV_2D", weight_for("CONV_2D", "int8"), dequantized=True),
}


def names(data):
    return [[op.name for op in graph.operators] for graph in Model.from_bytes(data).subgraphs]


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_densify_gives_the_dense_model_back_byte_for_byte(build):
    dense = Model.from_bytes(build()).to_bytes()
    model = Model.from_bytes(decoded(dense))
    changes = Densify()(model)
    assert changes
    assert all(change.what == "stored dense" for change in changes)
    again = model.to_bytes()
    assert len(again) == len(dense)
    assert describe(again) == describe(dense)


def describe(data):
    model = Model.from_bytes(data)
    return [
        (
            [(t.name, t.type, t.shape, None if t.buffer.data is None else t.buffer.data.tobytes()) for t in g.tensors],
            [(op.name, [t and t.name for t in op.inputs], [t and t.name for t in op.outputs]) for op in g.operators],
        )
        for g in model.subgraphs
    ]


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_result_passes_the_lint_and_saving_it_twice_gives_the_same_bytes(build):
    data = decoded(build())
    assert lint(Model.from_bytes(data), TFLM) == ()
    assert Model.from_bytes(data).to_bytes() == data
    assert decoded(build()) == data


def test_each_reader_has_an_operator_of_its_own_right_before_it_and_the_constant_is_stored_once():
    dense = one_weight_of_two_operators()
    data = decoded(dense)
    assert names(data) == [["TFLM_DECODE", "FULLY_CONNECTED"] * 2]
    first, second = decoded_tensors(Model.from_bytes(data))
    assert (first.bitmap, first.values) == (second.bitmap, second.values)
    assert first.output is not second.output
    assert len(data) < 0.5 * len(dense)


def test_operator_stands_in_the_subgraph_of_its_reader():
    assert names(decoded(two_branches()))[1:] == [["TFLM_DECODE", "FULLY_CONNECTED"]] * 2


def test_all_that_one_reader_needs_is_unpacked_together():
    model = Model.from_bytes(two_weights_of_one_operator())
    tensors = [t for t in model.subgraphs[0].tensors if t.is_constant]
    arrays = [t.array().copy() for t in tensors]
    insert_decodes(model, tensors)
    read = Model.from_bytes(model.to_bytes())
    operator = read.subgraphs[0].operators[0]
    assert len(operator.outputs) == 2
    found = [constant.array() for constant in decoded_constants(operator)]
    assert [a.tobytes() for a in found] == [a.tobytes() for a in arrays]


@pytest.mark.parametrize("op", ["FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"])
@pytest.mark.parametrize(("dtype", "times"), [("int8", 2.5), ("float32", 4.0)])
@pytest.mark.parametrize("elements", [512, 4608])
def test_four_of_five_zeros_make_it_this_much_smaller(op, dtype, times, elements):
    shape = {"FULLY_CONNECTED": (16, elements // 16), "CONV_2D": (8, 1, 8, elements // 64)}.get(
        op, (1, 8, 8, elements // 64)
    )
    weight = pruned(shape)
    weight = (np.sign(weight) * 100).astype(np.int8) if dtype == "int8" else weight
    model = Model.from_bytes(one_op(op, weight, dtype))
    tensor = next(t for t in model.subgraphs[0].tensors if t.name == "weight")
    dense_bytes = tensor.buffer.nbytes
    insert_decodes(model, [tensor])
    (constant,) = decoded_tensors(model)
    assert dense_bytes >= times * constant.stored_bytes
    assert constant.stored_bytes == -(-elements // 8) + 16 + np.count_nonzero(weight) * weight.itemsize


@pytest.mark.parametrize("op", ["FULLY_CONNECTED", "CONV_2D"])
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_price_is_at_least_what_the_file_grows_by_and_not_far_above(op, dtype):
    dense = Model.from_bytes(one_op(op, weight_for(op, dtype), dtype)).to_bytes()
    model = Model.from_bytes(dense)
    (decision,) = make_plan(model, TFLM).encoded()
    EncodeSparse(make_plan(model, TFLM))(model)
    grown = len(model.to_bytes()) - (len(dense) - decision.dense_bytes)
    assert grown <= decision.encoded_bytes <= grown + DECODE_OVERHEAD_BYTES // 2


def test_small_constant_stays_dense_with_its_price():
    weight = pruned((8, 16), zeros=0.5)
    (decision,) = make_plan(Model.from_bytes(mlp([weight])), TFLM).decisions
    assert isinstance(decision, Keep)
    assert "bitmap, decode" in decision.reason


@pytest.mark.parametrize(
    ("objective", "reason"), [(Objective.RAM, "of RAM"), (Objective.SPEED, "nothing sparse is known to be faster")]
)
def test_neither_ram_nor_speed_is_served(objective, reason):
    (decision,) = make_plan(Model.from_bytes(mlp([pruned((64, 64))])), TFLM, objective).decisions
    assert isinstance(decision, Keep)
    assert reason in decision.reason


def test_weight_that_somebody_reads_as_no_weight_is_kept():
    model = new_model()
    graph = Graph(model)
    x, y, z = graph.tensor("x", (1, 64)), graph.tensor("y", (1, 64)), graph.tensor("z", (64, 64))
    w = graph.constant("w", pruned((64, 64)))
    graph.fully_connected(x, w, -1, y)
    graph.op(schema.BuiltinOperator.RELU, [w], [z])
    graph.ends([x], [y, z])
    (decision,) = make_plan(Model.from_bytes(packed(model)), TFLM).decisions
    assert decision.reason == "has 2 readers, 1 of which read it as no weight"


def test_weight_that_is_an_output_is_kept():
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 64)), graph.tensor("y", (1, 64))
    w = graph.constant("w", pruned((64, 64)))
    graph.fully_connected(x, w, -1, y)
    graph.ends([x], [y, w])
    (decision,) = make_plan(Model.from_bytes(packed(model)), TFLM).decisions
    assert "input or output of its subgraph" in decision.reason


def test_payload_that_tensors_share_is_kept():
    data = Model.from_bytes(two_branches())
    one, other = (next(t for t in g.tensors if t.is_constant) for g in data.subgraphs[1:])
    other.buffer = one.buffer
    decisions = make_plan(data, TFLM).decisions
    assert [d.reason for d in decisions] == ["its payload is shared by 2 tensors"] * 2


def test_scales_along_a_middle_axis_are_kept_and_told():
    data = one_op("CONV_2D", weight_for("CONV_2D", "int8"), "int8")
    model = Model.from_bytes(data)
    next(t for t in model.subgraphs[0].tensors if t.name == "weight").quantization.quantizedDimension = 1
    (decision,) = make_plan(model, TFLM).decisions
    assert decision.reason.startswith("its scales run along axis 1")


def test_damage_leaves_the_model_as_it_was():
    model = Model.from_bytes(decoded(mlp([pruned((64, 64)), pruned((64, 64))])))
    broken = decoded_tensors(model)[-1]
    broken.bitmap.buffer.data = broken.bitmap.buffer.data[:-1]
    before = model.to_bytes()
    with pytest.raises(EncodingError, match="a bitmap of 511 bytes for 4,096 elements"):
        Densify()(model)
    assert model.to_bytes() == before


def test_what_would_be_unpacked_counts_against_the_largest_output():
    model = Model.from_bytes(decoded(mlp([pruned((64, 64))])))
    with pytest.raises(EncodingError, match="takes 16,384 bytes unpacked, and 16,383 are left"):
        Densify(max_output_bytes=16383)(model)


def test_decoded_model_is_no_file_for_litert():
    data = decoded(mlp([pruned((64, 64))]))
    (finding,) = lint(Model.from_bytes(data), LITERT)
    assert finding.name == "micro-decode"
    assert isinstance(make_plan(Model.from_bytes(mlp([pruned((64, 64))])), TFLM).decisions[0], Encode)


def test_operator_without_constants_is_an_error_of_the_lint():
    data = of_one_operator(schema.BuiltinOperator.CUSTOM, custom=b"TFLM_DECODE")
    assert {finding.name for finding in lint(Model.from_bytes(data), TFLM)} == {"malformed-bitmap"}
