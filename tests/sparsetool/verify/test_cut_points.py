import numpy as np
from channel_networks import Network
from models_in_memory import mlp

from sparsetool.verify.cut_points import constants_read, cut_points, depends_on_input
from sparsetool_converters.model import Model


def points_of(reference, candidate):
    """(operator, names of the candidate's tensors) of every cut point."""
    found = cut_points(Model.from_bytes(reference), Model.from_bytes(candidate))
    return [(point.operator, [theirs.name for _, theirs in point.tensors]) for point in found]


def branches(**more):
    net = Network(np.random.default_rng(0), **more)
    x = net.input((1, 4, 4, 3))
    first = net.conv(x, 3)
    second = net.unary("LOGISTIC", first)
    third = net.conv(second, 3)
    return net.finished(net.binary("ADD", third, first))


def test_every_operator_of_a_chain_is_a_cut_point():
    model = mlp([np.ones((4, 4))] * 3)
    assert points_of(model, model) == [(0, ["h0"]), (1, ["h1"]), (2, ["y"])]


def test_a_cut_point_has_all_that_is_read_behind_it():
    first, second, third, end = points_of(branches(), branches())
    (conv,) = first[1]
    assert second[1][1:] == third[1][1:] == [conv]
    assert len(end[1]) == 1


def test_what_unpacks_a_constant_is_no_cut_point():
    found = points_of(branches(), branches(float16=True))
    operators = Model.from_bytes(branches(float16=True)).subgraphs[0].operators
    assert [operators[index].name for index, _ in found] == ["CONV_2D", "LOGISTIC", "CONV_2D", "ADD"]


def test_the_constants_behind_dequantize_are_what_an_operator_reads():
    graph = Model.from_bytes(branches(float16=True)).subgraphs[0]
    conv = next(operator for operator in graph.operators if operator.name == "CONV_2D")
    sources = {operator.outputs[0]: operator.inputs[0].name for operator in graph.operators}
    assert constants_read(graph, [conv]) == (sources[conv.inputs[1]], sources[conv.inputs[2]])
    assert depends_on_input(graph).isdisjoint(conv.inputs[1:])


def test_tensors_of_other_shapes_are_no_cut_points():
    wide = mlp([np.ones((6, 4)), np.ones((4, 6)), np.ones((2, 4))])
    narrow = mlp([np.ones((5, 4)), np.ones((4, 5)), np.ones((2, 4))])
    assert points_of(wide, narrow) == [(1, ["h1"]), (2, ["y"])]
