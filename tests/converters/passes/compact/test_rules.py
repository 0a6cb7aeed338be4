"""One small model for each rule: what goes, what stays, and the runtime's word that nothing else changed."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from channel_networks import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID
from cut_networks import DEAD, HALF, ONLY_ZERO, channels, compacted, dead_conv

BOTH = pytest.mark.parametrize("int8", [False, True], ids=["float", "int8"])


@BOTH
def test_a_constant_channel_goes_into_the_bias_of_its_reader(network, int8):
    net, x = network(int8=int8)
    h = dead_conv(net, x)
    model, changes = compacted(net, net.conv(h, 3, bias=np.ones(3)))
    assert channels(model, h) == 4
    assert [c.what for c in changes] == [
        "2 of 6 outputs removed",
        "2 of 6 channels removed",
        "2 of 6 inputs removed",
        "takes in what 1 constant input adds",
    ]


@BOTH
def test_a_channel_that_nobody_reads_goes(network, int8):
    net, x = network(int8=int8)
    h = net.conv(x, 6, kernel=3, fused=RELU, bias=HALF, unread=np.arange(6) < 3)
    model, _ = compacted(net, net.conv(h, 3, kernel=3))
    assert channels(model, h) == 3


@BOTH
@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_channels_go_with_their_input(network, int8, multiplier):
    net, x = network(int8=int8)
    h = net.conv(x, 6, dead=np.arange(4), bias=-np.ones(6), fused=RELU)
    every = np.repeat(np.arange(6) < 4, multiplier)
    d = net.depthwise(h, multiplier=multiplier, fused=RELU, dead=np.flatnonzero(every), bias=np.where(every, -1.0, 1.0))
    model, _ = compacted(net, net.conv(d, 3))
    assert (channels(model, h), channels(model, d)) == (2, 2 * multiplier)


@BOTH
def test_half_of_what_a_depthwise_convolution_makes_of_a_channel_does_not_go(network, int8):
    net, x = network(int8=int8)
    d = net.depthwise(net.conv(x, 2), multiplier=2, dead=np.array([0]), bias=np.zeros(4))
    assert channels(compacted(net, net.conv(d, 3))[0], d) == 4


@BOTH
def test_a_filter_of_zeros_in_a_depthwise_convolution_frees_the_layer_before_it(network, int8):
    net, x = network(int8=int8)
    h = net.conv(x, 6, kernel=3, fused=RELU)
    d = net.depthwise(h, dead=DEAD, bias=HALF, fused=RELU6)
    model, _ = compacted(net, net.conv(d, 3))
    assert channels(model, h) == 4


@BOTH
def test_a_residual_channel_goes_only_where_every_branch_agrees(network, int8):
    net, x = network(int8=int8)
    one = net.conv(x, 6, dead=np.array([0, 2]), bias=np.zeros(6))
    other = net.conv(x, 6, dead=np.array([2, 4]), bias=np.zeros(6))
    both = net.binary("ADD", one, other)
    model, _ = compacted(net, net.conv(both, 3))
    assert [channels(model, v) for v in (one, other, both)] == [5, 5, 5]


@BOTH
def test_concatenated_channels_go_one_by_one(network, int8):
    net, x = network(int8=int8)
    parts = [net.value("part", (1, 6, 6, 6), (0.05, 3)) for _ in range(2)]
    for part, bias in zip(parts, (HALF, ONLY_ZERO), strict=True):
        w, b = net.weight_and_bias(x, part, net.weight((6, 1, 1, 4), DEAD, x.unread), bias, 0)
        options = schema.Conv2DOptionsT(strideH=1, strideW=1, fusedActivationFunction=RELU)
        net.add_op("CONV_2D", [x.index, w, b], part, options, 3 if int8 else 1)
    joined = net.concatenate(parts)
    model, _ = compacted(net, net.conv(joined, 3))
    assert [channels(model, v) for v in (*parts, joined)] == [4, 4, 8]


@BOTH
def test_a_constant_that_padding_mixes_with_stays_and_a_zero_goes(network, int8):
    net, x = network(int8=int8)
    h = dead_conv(net, x)
    model, changes = compacted(net, net.conv(h, 3, kernel=3, padding=SAME))
    assert channels(model, h) == 5
    assert not any("takes in" in change.what for change in changes)


@BOTH
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, VALID), (2, 2, SAME), (3, 3, SAME)])
def test_a_constant_goes_into_a_bias_where_no_padding_is_added(network, int8, kernel, stride, padding):
    net, x = network(int8=int8)
    h = dead_conv(net, x)
    model, _ = compacted(net, net.conv(h, 3, kernel=kernel, stride=stride, padding=padding))
    assert channels(model, h) == 4


def test_dilated_taps_reach_into_the_padding(network):
    net, x = network()
    h = dead_conv(net, x)
    model, _ = compacted(net, net.conv(h, 3, kernel=2, dilation=2, padding=SAME))
    assert channels(model, h) == 5


@BOTH
def test_a_size_that_may_change_is_taken_to_be_padded(network, int8):
    net, x = network(int8=int8)
    h = dead_conv(net, x)
    net.graph.subgraph.tensors[h.index].shapeSignature = [1, -1, -1, 6]
    model, _ = compacted(net, net.conv(h, 3, kernel=2, stride=2, padding=SAME))
    assert model.subgraphs[0].tensors[h.index].fields.shapeSignature.tolist() == [1, -1, -1, 5]


def test_weights_that_two_layers_share_lose_what_neither_needs(network):
    net, x = network()
    first, second = (net.conv(x, 6, dead=dead, bias=np.zeros(6)) for dead in (DEAD, np.array([2, 3])))
    weight = net.weight((3, 1, 1, 6), np.zeros(0, np.intp), np.zeros(6, bool))
    constants = net.weight_and_bias(first, first, weight, np.ones(3), 0)
    ends = [net.conv(h, 3, constants=constants) for h in (first, second)]
    model, _ = compacted(net, *ends)
    assert (channels(model, first), channels(model, second)) == (5, 5)


def test_a_bias_that_two_layers_share_is_taken_apart_where_they_take_in_different_constants(network):
    net, x = network()
    first, second = (net.conv(x, 6, dead=np.array([2]), bias=bias) for bias in (HALF, 3 * HALF))
    weight = net.weight((3, 1, 1, 6), np.zeros(0, np.intp), np.zeros(6, bool))
    constants = net.weight_and_bias(first, first, weight, np.ones(3), 0)
    ends = [net.conv(h, 3, constants=constants) for h in (first, second)]
    model, changes = compacted(net, *ends)
    assert (channels(model, first), channels(model, second)) == (5, 5)
    assert sum("takes in" in change.what for change in changes) == 2


@BOTH
def test_two_readers_must_both_do_without(network, int8):
    net, x = network(int8=int8)
    h = net.conv(x, 6, bias=HALF, unread=np.arange(6) < 3)
    one = net.conv(h, 3)
    h.unread[:] = np.arange(6) < 1
    model, _ = compacted(net, one, net.conv(h, 3))
    assert channels(model, h) == 5


@BOTH
def test_a_graph_output_keeps_its_channels(network, int8):
    net, x = network(int8=int8)
    h = dead_conv(net, x)
    _, changes = compacted(net, net.conv(h, 3), h)
    assert changes == []


@BOTH
@pytest.mark.parametrize("fused", [RELU, RELU6, RELU_N1_TO_1, NONE])
def test_fused_activations_are_applied_to_what_is_constant(network, int8, fused):
    net, x = network(int8=int8)
    h = net.conv(x, 6, fused=fused, dead=np.arange(4), bias=np.array([-9.0, 9.0, 0.5, -0.25, 1.0, 2.0]))
    model, _ = compacted(net, net.conv(h, 3))
    assert channels(model, h) == 2


@BOTH
@pytest.mark.parametrize("name", ["HARD_SWISH", "RELU", "LEAKY_RELU", "TANH"])
def test_operators_that_keep_zero_hand_it_on(network, int8, name):
    net, x = network(int8=int8)
    h = net.unary(name, dead_conv(net, x, bias=ONLY_ZERO))
    model, _ = compacted(net, net.conv(h, 3, kernel=3, padding=SAME))
    assert channels(model, h) == 4


def test_an_activation_of_a_constant_is_a_constant(network):
    net, x = network()
    h = net.unary("HARD_SWISH", dead_conv(net, x, fused=NONE))
    model, _ = compacted(net, net.conv(net.unary("LOGISTIC", h), 3))
    assert channels(model, h) == 4


@BOTH
def test_a_channel_multiplied_by_zero_is_zero(network, int8):
    net, x = network(int8=int8)
    h = net.with_constant("MUL", net.conv(x, 6), np.array([1.0, 0.0, 1.0, 0.0, 1.0, 1.0]))
    model, _ = compacted(net, net.conv(h, 3, kernel=3))
    assert channels(model, h) == 4


@BOTH
def test_an_input_that_is_dead_all_over_leaves_its_reader_constant(network, int8):
    """The first layer is zero whatever it reads, so the second is its bias and the third its own."""
    net, x = network(int8=int8)
    first = net.conv(x, 6, dead=np.arange(6), bias=-np.ones(6), fused=RELU)
    second = net.conv(first, 6, fused=RELU, bias=HALF)
    third = net.conv(second, 3)
    model, _ = compacted(net, third)
    assert [channels(model, v) for v in (first, second, third)] == [1, 1, 3]


@BOTH
def test_one_channel_of_a_layer_that_nobody_reads_stays(network, int8):
    net, x = network(int8=int8)
    h = net.conv(x, 6, unread=np.ones(6, bool))
    model, _ = compacted(net, net.conv(h, 3, bias=np.ones(3)))
    assert channels(model, h) == 1


@pytest.mark.parametrize(("batch", "units", "left"), [(1, 3, 4), (1, 6, 8), (2, 6, 2)])
def test_int8_layers_of_one_column_stay_as_large_as_the_kernel_for_them_wants(network, batch, units, left):
    """On ARM64 that is 4 outputs and 8 inputs, of layers that have so many; others, as that of 3, are free."""
    net, x = network(int8=True, batch=batch)
    h = net.dense(x, 12, dead=np.arange(10), bias=-np.ones(12), fused=RELU)
    model, _ = compacted(net, net.dense(h, units))
    assert channels(model, h) == left
