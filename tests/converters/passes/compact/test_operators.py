"""Operators between layers, biases, and what holds on to its channels: one small model each."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from channel_networks import RELU, SAME, VALID
from cut_networks import DEAD, HALF, ONLY_ZERO, channels, compacted, dead_conv
from kernel_sets import assert_same_answers, run_here
from models_in_memory import Graph

from sparsetool_converters.model import Model
from sparsetool_converters.passes import Compact

BOTH = pytest.mark.parametrize("int8", [False, True], ids=["float", "int8"])


@BOTH
@pytest.mark.parametrize("keep_dims", [False, True])
def test_a_mean_over_the_image_keeps_channels_apart(network, int8, keep_dims):
    net, x = network(int8=int8)
    m = net.mean(dead_conv(net, x, bias=ONLY_ZERO), keep_dims=keep_dims)
    model, _ = compacted(net, net.dense(m, 3))
    assert channels(model, m) == 4


@BOTH
@pytest.mark.parametrize("name", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
@pytest.mark.parametrize("padding", [SAME, VALID])
def test_pools_do_not_count_padding(network, int8, name, padding):
    net, x = network(int8=int8)
    h = net.conv(x, 6, kernel=2, padding=VALID, dead=DEAD, bias=HALF, fused=RELU)  # 5x5, so that SAME pads
    p = net.pool(name, h, padding=padding)
    model, _ = compacted(net, net.conv(p, 3))
    assert channels(model, p) == 4


@BOTH
def test_pad_puts_zeros_beside_which_only_a_zero_survives(network, int8):
    net, x = network(int8=int8)
    p = net.pad(dead_conv(net, x))
    model, _ = compacted(net, net.conv(p, 3, kernel=3, padding=VALID))
    assert channels(model, p) == 5


@BOTH
def test_prelu_loses_the_slopes_of_channels_that_go(network, int8):
    net, x = network(int8=int8)
    p = net.prelu(dead_conv(net, x, bias=ONLY_ZERO))
    model, _ = compacted(net, net.conv(p, 3, kernel=3))
    assert channels(model, p) == 4
    assert [t.shape for t in model.subgraphs[0].tensors if t.name.startswith("alpha")] == [(1, 1, 4)]


@BOTH
@pytest.mark.parametrize("written", ["-1", "length", "by the layer"])
def test_flattened_channels_go_from_every_place(network, int8, written):
    net, x = network(int8=int8)
    h = dead_conv(net, x)
    flat = h if written == "by the layer" else net.reshape(h, (1, 216), as_written=(1, -1 if written == "-1" else 216))
    model, _ = compacted(net, net.dense(flat, 3))
    assert channels(model, h) == 4
    assert channels(model, flat) == (4 if flat is h else 4 * 36)


def test_a_flattened_channel_that_is_read_at_one_place_stays(network):
    net, x = network()
    h = net.conv(x, 6)
    flat = net.reshape(h, (1, 216))
    flat.unread[:] = np.arange(216) % 6 == 2
    flat.unread[100 - 100 % 6 + 2] = False
    assert channels(compacted(net, net.dense(flat, 3))[0], h) == 6


@BOTH
@pytest.mark.parametrize("name", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
def test_a_resized_constant_is_constant(network, int8, name):
    net, x = network(int8=int8)
    r = net.resize(dead_conv(net, x), name)
    model, _ = compacted(net, net.conv(r, 3))
    assert channels(model, r) == 4


@BOTH
def test_transposed_convolutions_are_cut_on_both_sides(network, int8):
    net, x = network(int8=int8)
    t = net.transpose_conv(dead_conv(net, x, bias=ONLY_ZERO), 6, dead=DEAD)
    model, _ = compacted(net, net.conv(t, 3))
    weight = next(o.inputs[1] for _, o in model.operators() if o.name == "TRANSPOSE_CONV")
    assert weight is not None
    assert weight.shape == (4, 3, 3, 4)


def test_what_a_bias_of_float16_takes_in_makes_it_float32(network):
    net, x = network(float16=True)
    h = dead_conv(net, x)
    model, _ = compacted(net, net.conv(h, 3, bias=np.ones(3)))
    *_, last = [op for _, op in model.operators() if op.name == "CONV_2D"]
    bias = last.inputs[2]
    assert bias is not None
    assert (bias.type_name, bias.is_constant) == ("FLOAT32", True)
    # weight and bias of the first layer, weight of the second
    assert sum(op.name == "DEQUANTIZE" for _, op in model.operators()) == 3
    assert not any(t.is_constant and t.shape == (3,) and t.type_name == "FLOAT16" for t in model.subgraphs[0].tensors)


@BOTH
def test_a_layer_without_a_bias_gets_one(network, int8):
    net, x = network(int8=int8)
    h = dead_conv(net, x)
    model, changes = compacted(net, net.dense(net.mean(h, keep_dims=False, name="REDUCE_MAX"), 3))
    assert channels(model, h) == 4
    assert changes[-1].what == "takes in what 1 constant input adds"
    assert (changes[-1].bytes_before, changes[-1].bytes_after) == (0, 12)


def test_a_sum_that_a_bias_cannot_hold_is_left_alone(network):
    net, x = network(int8=True)
    h = dead_conv(net, x)
    y = net.conv(h, 3)
    model = Model.from_bytes(net.finished(y))
    bias = model.subgraphs[0].operators[-1].inputs[2]
    bias.buffer.data = np.full(3, 2**31 - 1, np.int32).view(np.uint8)
    weight = model.subgraphs[0].operators[-1].inputs[1]
    weight.buffer.data = np.full(18, 100, np.int8).view(np.uint8)
    Compact()(model)
    assert model.subgraphs[0].tensors[h.index].shape[-1] == 5  # the zero alone is gone


@pytest.mark.parametrize("bias", [ONLY_ZERO, HALF], ids=["zero", "not zero"])
def test_only_zeros_go_before_a_layer_that_quantizes_its_input_as_it_finds_it(network, bias):
    net, x = network()
    h = net.mean(dead_conv(net, x, bias=bias), keep_dims=False, name="REDUCE_MAX")
    h.unread[5] = True
    weight = np.random.default_rng(0).integers(-127, 128, (3, 6)).astype(np.int8)
    weight[:, 5] = 0
    y = net.value("y", (1, 3))
    w = net.graph.constant("w", weight, scale=0.01)
    net.add_op("FULLY_CONNECTED", [h.index, w, -1], y, schema.FullyConnectedOptionsT(), 3)
    model, _ = compacted(net, y)
    assert channels(model, h) == (4 if bias is ONLY_ZERO else 5)


@BOTH
def test_a_tensor_added_to_itself(network, int8):
    net, x = network(int8=int8)
    h = dead_conv(net, x, bias=ONLY_ZERO)
    model, _ = compacted(net, net.conv(net.binary("ADD", h, h), 3))
    assert channels(model, h) == 4


@pytest.mark.parametrize("name", ["SOFTMAX", "L2_NORMALIZATION"])
def test_operators_that_mix_channels_keep_them_all(network, name):
    net, x = network()
    h = dead_conv(net, x)
    options = schema.SoftmaxOptionsT(beta=1.0) if name == "SOFTMAX" else schema.L2NormOptionsT()
    y = net.add_op(name, [h.index], net.value("y", h.shape), options)
    assert compacted(net, net.conv(y, 3))[1] == []


def test_grouped_convolutions_are_left_alone(network):
    net, x = network()
    h = dead_conv(net, x)
    weight = net.constant("w", net.weight((4, 3, 3, 3), np.zeros(0, np.intp), np.zeros(3, bool)).astype(np.float32))
    y = net.value("y", (1, 6, 6, 4))
    bias = net.constant("b", np.zeros(4, np.float32))
    net.add_op("CONV_2D", [h.index, weight, bias], y, schema.Conv2DOptionsT(strideH=1, strideW=1))
    assert compacted(net, y)[1] == []


def test_what_another_subgraph_is_given_keeps_its_channels(network):
    net, x = network()
    h = dead_conv(net, x)
    condition = net.graph.constant("condition", np.array([True]))
    y = net.value("y", h.shape)
    options = schema.IfOptionsT(thenSubgraphIndex=1, elseSubgraphIndex=1)
    net.graph.op(schema.BuiltinOperator.IF, [condition, h.index], [y.index], options)
    branch = Graph(net.model)
    given, made = branch.tensor("given", h.shape), branch.tensor("made", h.shape)
    branch.op(schema.BuiltinOperator.NEG, [given], [made], schema.NegOptionsT())
    branch.ends([given], [made])
    assert compacted(net, net.conv(y, 3))[1] == []


def test_the_size_of_a_batch_that_is_computed_is_no_reader(network):
    """SHAPE, STRIDED_SLICE, PACK and RESHAPE, as Keras flattens."""
    net, x = network(batch=2)
    h = dead_conv(net, x)
    shape, size = net.graph.tensor("shape", (4,), "int32"), net.graph.tensor("size", (), "int32")
    net.graph.op(schema.BuiltinOperator.SHAPE, [h.index], [shape], schema.ShapeOptionsT(outType=2))
    options = schema.StridedSliceOptionsT(shrinkAxisMask=1)
    ends = [net.numbers(number) for number in (0, 1, 1)]
    net.graph.op(schema.BuiltinOperator.STRIDED_SLICE, [shape, *ends], [size], options)
    wanted = net.graph.tensor("wanted", (2,), "int32")
    columns = net.graph.constant("columns", np.array(216, np.int32))
    net.graph.op(schema.BuiltinOperator.PACK, [size, columns], [wanted], schema.PackOptionsT(valuesCount=2))
    flat = net.value("flat", (2, 216))
    net.graph.op(schema.BuiltinOperator.RESHAPE, [h.index, wanted], [flat.index], schema.ReshapeOptionsT())
    model, _ = compacted(net, net.dense(flat, 3))
    assert channels(model, flat) == 4 * 36


def test_constants_of_one_payload_are_cut_each_in_its_own_way_where_they_are_short(network):
    net, x = network()
    h = dead_conv(net, x, bias=ONLY_ZERO)
    other = net.conv(x, 6, dead=np.array([1]), bias=ONLY_ZERO, fused=RELU)
    data = net.finished(net.conv(h, 3), net.conv(other, 3))
    model = Model.from_bytes(data)
    one, two = (op.inputs[2] for op in model.subgraphs[0].operators[:2])
    two.buffer = one.buffer
    before = model.to_bytes()
    Compact()(model)
    assert (one.shape, two.shape) == ((4,), (5,))
    assert_same_answers(before, model.to_bytes(), net.samples(np.random.default_rng(0)))


def test_answers_are_compared_in_earnest(network):
    """A model whose dead channel was dropped without its constant gives other answers."""
    net, x = network()
    before = net.finished(net.conv(dead_conv(net, x), 3))
    model = Model.from_bytes(before)
    Compact()(model)
    bias = model.subgraphs[0].operators[-1].inputs[2]
    bias.buffer.data = np.zeros_like(bias.buffer.data)
    samples = net.samples(np.random.default_rng(0))
    assert run_here(before, *samples)[0].std() > 0
    with pytest.raises(AssertionError):
        assert_same_answers(before, model.to_bytes(), samples)


@pytest.mark.parametrize("op", ["depthwise", "transpose_conv"])
@pytest.mark.parametrize(("dead", "stay"), [(range(7), 20), (range(8), 12), (range(11, 20), 16), (range(20), 8)])
def test_int8_channels_that_a_kernel_rounds_together_stay_together(network, op, dead, stay):
    """It takes the first 16 of 20 by eight, and rounds half-way results in the last 4 its own way."""
    net, x = network(int8=True)
    if op == "depthwise":
        y = net.depthwise(net.conv(x, 20), dead=np.array(dead))
    else:
        y = net.transpose_conv(x, 20)
        y.unread[dead] = True
    model, _ = compacted(net, net.conv(y, 3))
    assert channels(model, y) == stay


@pytest.mark.parametrize(("unread", "stay"), [(range(8), 20), (range(16), 4), (range(17, 20), 17)])
def test_int8_means_are_taken_of_sixteen_channels_together(network, unread, stay):
    net, x = network(int8=True)
    m = net.mean(net.conv(x, 20), keep_dims=True)
    m.unread[unread] = True
    model, _ = compacted(net, net.conv(m, 3))
    assert channels(model, m) == stay
