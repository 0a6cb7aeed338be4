from dataclasses import replace
from math import log2

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from bisected_networks import (
    BLOCKS_OF_FOUR_COLUMNS,
    BLOCKS_OF_FOUR_ROWS,
    EXACT,
    OPS,
    WIDTH,
    Layers,
    chain,
    near,
    operators_of,
    plant,
    rewrite,
    two_branches,
)
from models_in_memory import Graph, new_model, packed

from sparsetool.pipeline import bisecting
from sparsetool.pipeline.bisecting import bisect
from sparsetool.verify import IDENTICAL, KernelSet, Tolerance
from sparsetool_converters.model import Model
from sparsetool_converters.model.sparsity_fields import write_sparsity
from sparsetool_converters.passes.quantize import Quantize
from sparsetool_converters.samples import RandomSamples
from sparsetool_converters.sparsity import encode


def named(reference, candidate, *, kernel_set=KernelSet.DEFAULT, tolerance=EXACT, samples=None, timeout_s=60):
    """The record, which is no record of more runs than are allowed."""
    record = bisect(
        reference,
        candidate,
        samples if samples is not None else RandomSamples(n_samples=1),
        kernel_set=kernel_set,
        tolerance=tolerance,
        timeout_s=timeout_s,
    )
    assert record.operators == len(Model.from_bytes(candidate).subgraphs[0].operators)
    assert record.runs <= log2(record.operators) + 3
    return record


@pytest.mark.parametrize(
    ("network", "operators", "kind", "share"),
    [
        (chain, 10, "bias", 0.0),
        (chain, 10, "activation", 0.5),
        (two_branches, 10, "weight", 0.3),
        (chain, 100, "weight", 1.0),
        (chain, 100, "swap", 0.4),
        pytest.param(chain, 400, "weight", 0.0, marks=pytest.mark.slow),
        pytest.param(two_branches, 400, "weight", 0.7, marks=pytest.mark.slow),
    ],
)
def test_the_damaged_operator_is_named(network, operators, kind, share):
    reference = network(operators)
    model = Model.from_bytes(reference)
    assert len(model.subgraphs[0].operators) == operators
    index = plant(model, kind, share)
    record = named(reference, model.to_bytes())
    graph = Model.from_bytes(reference).subgraphs[0]
    operator = graph.operators[index]
    assert (record.operator, record.op, record.tensor) == (index, operator.name, operator.outputs[0].name)
    assert record.problem.startswith("error ")
    assert "lie between" not in record.problem
    assert record.before == (graph.operators[index - 1].outputs[0].name if index else "")
    if kind in ("weight", "bias"):
        assert record.weights == (f"w{index}", f"b{index}")


@pytest.mark.parametrize(
    ("operators", "share"), [(10, 1.0), pytest.param(400, 1.0, marks=pytest.mark.slow), (100, 0.6)]
)
def test_a_sparse_weight_that_only_the_default_kernels_take_for_a_dense_one_is_named(operators, share):
    model = Model.from_bytes(chain(operators))
    index = near(operators_of(model, "FULLY_CONNECTED"), share)
    operator = model.subgraphs[0].operators[index]
    rewrite(operator.inputs[1], lambda values: values.__setitem__(slice(0, 64), 0.0))
    reference = model.to_bytes()
    write_sparsity(operator.inputs[1], encode(operator.inputs[1].array(), BLOCKS_OF_FOUR_COLUMNS))
    operator.code = model.operator_code(OPS.FULLY_CONNECTED, 4)
    record = named(reference, model.to_bytes())
    assert (record.operator, record.tensor, record.weights) == (index, f"t{index}", (f"w{index}", f"b{index}"))
    if operators == 10:
        assert named(reference, model.to_bytes(), kernel_set=KernelSet.REFERENCE).operator is None


def with_a_wide_layer(operators, at):
    """A chain of FULLY_CONNECTED, one of which has 512 outputs from 256 inputs."""
    net = Layers()
    x = net.x
    while net.count < operators:
        rows, columns = {at - 1: (256, 16), at: (512, 256), at + 1: (16, 512)}.get(net.count, (16, 16))
        weight = net.rng.standard_normal((rows, columns)) / np.sqrt(columns)
        y = net.made(1, rows)
        net.graph.fully_connected(x, net.constant("w", weight), -1, y)
        x = y
    return net.finished(x)


def test_the_operator_that_crashes_the_process_is_named():
    operators, at = 100, 71
    reference = with_a_wide_layer(operators, at)
    model = Model.from_bytes(reference)
    operator = model.subgraphs[0].operators[at]
    weight = operator.inputs[1]
    weight.buffer = replace(weight.buffer, data=np.ones((512, 256), np.float32).reshape(-1).view(np.uint8))
    reference = model.to_bytes()
    write_sparsity(weight, encode(weight.array(), BLOCKS_OF_FOUR_ROWS))
    operator.code = model.operator_code(OPS.FULLY_CONNECTED, 8)
    record = named(reference, model.to_bytes())
    assert (record.operator, record.tensor, record.before) == (at, f"t{at}", f"t{at - 1}")
    assert record.problem.startswith("the model crashed with SIGSEGV at sample 0")
    assert record.weights == (f"w{at}",)


def test_the_loop_that_never_ends_is_named():
    def network(*, endless):
        net = Layers()
        x = net.x
        for index in range(10):
            x = net.loop(x, endless=endless) if index == 5 else net.dense(x)
        return net.finished(x)

    record = named(network(endless=False), network(endless=True), timeout_s=1.5)
    assert (record.operator, record.op, record.before) == (5, "WHILE", "t4")
    assert "did not end within 1.5 s" in record.problem


def test_an_operator_that_the_kernels_refuse_is_named():
    reference = chain(10)
    model = Model.from_bytes(reference)
    operator = model.subgraphs[0].operators[7]
    operator.code = model.operator_code(OPS.FULLY_CONNECTED, 99)
    record = named(reference, model.to_bytes())
    assert (record.operator, record.before) == (7, "t6")
    assert record.problem.startswith("the model failed at")


def int8_chain(operators):
    """FULLY_CONNECTED on int8 values."""
    net, rng = new_model(), np.random.default_rng(5)
    graph = Graph(net)
    x = first = graph.tensor("x", (1, WIDTH), "int8", scale=0.02)
    for index in range(operators):
        orthogonal = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0]
        weight = graph.constant(f"w{index}", np.rint(orthogonal * 100).astype(np.int8), scale=0.01)
        y = graph.tensor(f"t{index}", (1, WIDTH), "int8", scale=0.02)
        graph.fully_connected(x, weight, -1, y, version=4)
        x = y
    graph.ends([first], [x])
    return packed(net)


@pytest.mark.parametrize("index", [0, 9])
def test_a_scale_that_is_off_by_one_percent_is_found(index):
    reference = int8_chain(10)
    model = Model.from_bytes(reference)
    weight = model.subgraphs[0].operators[index].inputs[1]
    weight.quantization.scale = np.asarray(weight.quantization.scale) * np.float32(1.01)
    record = named(reference, model.to_bytes(), tolerance=IDENTICAL)
    assert (record.operator, record.weights) == (index, (f"w{index}",))


def test_a_damaged_layer_of_a_quantized_model_is_named_beside_the_float_model():
    reference = chain(14)
    samples = np.random.default_rng(1).uniform(-1, 1, (20, 1, WIDTH)).astype(np.float32)
    model = Model.from_bytes(reference)
    Quantize("int8", calibration=samples)(model)
    operators = model.subgraphs[0].operators
    index = operators_of(model, "FULLY_CONNECTED", "CONV_2D")[2]
    rewrite(operators[index].inputs[1], lambda values: values.__setitem__(slice(None), values[::-1].copy()))
    record = named(reference, model.to_bytes(), tolerance=Tolerance(min_sqnr_db=10.0), samples=samples)
    assert (record.operator, record.tensor) == (index, operators[index].outputs[0].name)
    assert record.problem.startswith("signal to noise")
    assert operators[index].inputs[1].name in record.weights


@pytest.mark.slow
def test_a_damaged_weight_of_a_published_model_is_named(published_model):
    reference = published_model("hand_landmark_full.tflite").read_bytes()
    model = Model.from_bytes(reference)
    operators = model.subgraphs[0].operators
    index = near(operators_of(model, "DEPTHWISE_CONV_2D"), 0.5)
    (made,) = [o for o in operators if operators[index].inputs[1] in o.outputs] or [None]
    stored = made.inputs[0] if made else operators[index].inputs[1]
    stored.buffer = replace(stored.buffer, data=np.roll(stored.buffer.data, 8))
    record = named(reference, model.to_bytes())
    assert (record.operator, record.op) == (index, "DEPTHWISE_CONV_2D")
    assert stored.name in record.weights


def test_damage_that_only_a_later_sample_shows_is_found_by_it():
    reference = chain(10)
    model = Model.from_bytes(reference)
    add = model.subgraphs[0].operators[2]
    add.fields.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU_N1_TO_1
    samples = np.zeros((3, 1, WIDTH), np.float32)
    samples[1] = 50.0
    record = named(reference, model.to_bytes(), samples=samples)
    assert (record.operator, record.op) == (2, "ADD")
    assert "on 1 sample" in record.problem


def test_damage_that_only_all_samples_together_show_is_found():
    def network(bias):
        net = Layers()
        y, z = net.made(1, 1), net.graph.tensor("z", (1, 1))
        net.graph.fully_connected(net.x, net.constant("w", np.full((1, WIDTH), 1 / WIDTH)), -1, y)
        net.graph.op(OPS.ADD, [y, net.constant("c", np.full((1, 1), bias))], [z], schema.AddOptionsT())
        return net.finished(z)

    # Of one value each, the cosine of a sample alone is 1; of both together it is that of (1, 9) and (11, 19).
    samples = np.stack([np.full((1, WIDTH), 1.0), np.full((1, WIDTH), 9.0)]).astype(np.float32)
    record = named(network(0.0), network(10.0), samples=samples, tolerance=Tolerance(min_cosine=0.95))
    assert (record.operator, record.op) == (1, "ADD")
    assert record.problem.startswith("cosine")


def counting(*, gain):
    """x * gain is added to a variable; the answer is twice what the variable was before."""
    net = Layers()
    graph = net.graph
    handle = graph.tensor("handle", (1,), "int32")
    graph.subgraph.tensors[handle].type = schema.TensorType.RESOURCE
    kind = schema.VarHandleOptionsT(container=b"", sharedName=b"count")
    graph.op(OPS.CALL_ONCE, [], [], schema.CallOnceOptionsT(initSubgraphIndex=1))
    graph.op(OPS.VAR_HANDLE, [], [handle], kind)
    before = net.made()
    graph.op(OPS.READ_VARIABLE, [handle], [before], schema.ReadVariableOptionsT())
    twice = net.add(before, before)
    scaled = net.made()
    graph.op(OPS.MUL, [net.x, net.constant("gain", np.full(1, gain))], [scaled], schema.MulOptionsT())
    after = net.add(before, scaled)
    graph.op(OPS.ASSIGN_VARIABLE, [handle, after], [], schema.AssignVariableOptionsT())
    setup = Graph(net.model)
    handle = setup.tensor("handle", (1,), "int32")
    setup.subgraph.tensors[handle].type = schema.TensorType.RESOURCE
    zeros = setup.constant("zeros", np.zeros((1, WIDTH), np.float32))
    setup.op(OPS.VAR_HANDLE, [], [handle], kind)
    setup.op(OPS.ASSIGN_VARIABLE, [handle, zeros], [], schema.AssignVariableOptionsT())
    setup.ends([], [])
    return net.finished(twice)


def test_what_a_model_remembers_is_laid_to_the_operator_that_made_it():
    # The damage is in no answer to the first sample, and READ_VARIABLE comes first in the second.
    record = named(counting(gain=1.0), counting(gain=2.0), samples=np.ones((3, 1, WIDTH), np.float32))
    assert (record.operator, record.op, record.weights) == (4, "MUL", ("gain4",))


def test_a_state_that_is_right_does_not_mislead():
    reference = counting(gain=1.0)
    model = Model.from_bytes(reference)
    model.subgraphs[0].operators[3].fields.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU6
    record = named(reference, model.to_bytes(), samples=np.ones((6, 1, WIDTH), np.float32))
    assert (record.operator, record.op, record.tensor, record.before) == (3, "ADD", "t3", "t2")


def test_outputs_of_another_shape_for_each_sample_are_compared():
    def network(scale):
        net = Layers()
        y = net.graph.tensor("y", (1, WIDTH))
        net.graph.op(OPS.MUL, [net.x, net.constant("c", np.full(1, scale))], [y], schema.MulOptionsT())
        asked = net.graph.tensor("asked", (1, WIDTH), "bool")
        net.graph.op(OPS.GREATER, [y, net.constant("zero", np.zeros(1))], [asked], schema.GreaterOptionsT())
        places = net.graph.tensor("places", (0, 2), "int64", signature=(-1, 2))
        net.graph.op(OPS.WHERE, [asked], [places], schema.WhereOptionsT())
        double = net.graph.tensor("double", (0, 2), "int64", signature=(-1, 2))
        net.graph.op(OPS.ADD, [places, places], [double], schema.AddOptionsT(), version=4)
        return net.finished(double)

    samples = np.ones((3, 1, WIDTH), np.float32)
    samples[1, 0, 5:] = -1.0
    samples[2, 0, 9:] = -1.0
    assert named(network(1.0), network(1.0), samples=samples).operator is None
    record = named(network(1.0), network(-1.0), samples=samples)
    assert (record.operator, record.op, record.before) == (0, "MUL", "")


def test_models_that_do_not_differ_have_no_such_operator():
    record = named(chain(10), chain(10))
    assert (record.operator, record.runs) == (None, 2)
    assert record.problem == "every output is within the tolerance"


def test_models_that_share_nothing_are_not_searched():
    renamed = Model.from_bytes(chain(9))
    for tensor in renamed.subgraphs[0].tensors:
        tensor.fields.name = f"other/{tensor.name}".encode()
    record = named(chain(10), renamed.to_bytes())
    assert (record.operator, record.runs) == (None, 0)
    assert "share no operator" in record.problem


def test_operators_are_found_by_name_where_there_are_others_between():
    reference = chain(9)
    model = Model.from_bytes(chain(10))
    model.subgraphs[0].outputs = [model.subgraphs[0].operators[8].outputs[0]]
    index = plant(model, "weight", 0.5)
    record = named(reference, model.to_bytes())
    assert (record.operator, record.tensor) == (index, f"t{index}")


def test_several_operators_are_said_to_be_in_question_where_not_all_values_can_be_kept(monkeypatch):
    monkeypatch.setattr(bisecting, "MAX_KEPT_BYTES", 4 * WIDTH * 4)
    reference = chain(10)
    model = Model.from_bytes(reference)
    index = plant(model, "bias", 0.5)
    record = named(reference, model.to_bytes())
    assert index <= record.operator < index + 4
    assert "operators lie between here and the last output that could be compared" in record.problem
    assert f"b{index}" in record.weights
