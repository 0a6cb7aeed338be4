"""Which constants are weights, and of which operator."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed
from one_op_models import WEIGHT_SHAPES, one_op, weight_for

from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.targets import WeightUse
from sparsetool_converters.weights import WeightSite, weight_sites

WEIGHT = np.ones((4, 8), np.float32)
LSTMS = ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM")


def sites_of(data: bytes) -> list[WeightSite]:
    return weight_sites(Model.from_bytes(data))


@pytest.mark.parametrize(("activation", "dtype"), [("float32", "float32"), ("int8", "int8"), ("float32", "int8")])
@pytest.mark.parametrize("op", sorted(set(WEIGHT_SHAPES) - {"GATHER", "EMBEDDING_LOOKUP", *LSTMS}))
def test_weight_is_found_with_the_types_of_its_use(op: str, dtype: str, activation: str) -> None:
    (site,) = sites_of(one_op(op, weight_for(op, dtype), activation))
    assert site.tensor.name == "weight"
    assert site.use == WeightUse(op=op, weight=dtype.upper(), activation=activation.upper())
    assert site.reader is site.operator
    assert site.path == (site.tensor,)


@pytest.mark.parametrize("op", ["GATHER", "EMBEDDING_LOOKUP"])
def test_activation_of_a_table_is_what_comes_out_of_it(op: str) -> None:
    (site,) = sites_of(one_op(op, weight_for(op, "float32")))
    assert site.use == WeightUse(op=op, weight="FLOAT32", activation="FLOAT32")


@pytest.mark.parametrize("op", LSTMS)
def test_all_gates_of_an_lstm_have_weights_from_the_input_and_from_the_step_before(op: str) -> None:
    sites = sites_of(one_op(op, weight_for(op, "int8")))
    assert {site.use for site in sites} == {WeightUse(op=op, weight="INT8", activation="FLOAT32")}
    names = {site.tensor.name for site in sites}
    assert names == {"weight", "input0", "input1", "input3", *(f"recurrent{gate}" for gate in range(4))}


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_weight_is_found_through_dequantize(dtype: str) -> None:
    (site,) = sites_of(one_op("CONV_2D", weight_for("CONV_2D", dtype), dequantized=True))
    assert (site.use.weight, site.use.activation, site.use.dequantized) == (dtype.upper(), "FLOAT32", True)
    assert (site.reader.name, site.operator.name) == ("DEQUANTIZE", "CONV_2D")
    assert [t.name for t in site.path] == ["weight", "weight/float"]


def test_biases_are_no_weights() -> None:
    sites = sites_of(mlp([WEIGHT, np.ones((2, 4))], [np.ones(4), np.ones(2)]))
    assert [site.tensor.name for site in sites] == ["w0", "w1"]


def test_constant_that_two_operators_use_appears_twice_in_order_of_execution() -> None:
    model = new_model()
    graph = Graph(model)
    w = graph.constant("w", WEIGHT)
    x, y = ([graph.tensor(f"{name}{i}", (1, size)) for i in range(2)] for name, size in (("x", 8), ("y", 4)))
    for i in range(2):
        graph.fully_connected(x[i], w, -1, y[i])
    graph.ends(x, y)
    sites = sites_of(packed(model))
    assert [site.operator.outputs[0].name for site in sites] == ["y0", "y1"]
    assert sites[0].tensor is sites[1].tensor


def test_weights_of_all_subgraphs_are_found() -> None:
    model = new_model()
    for g in range(2):
        graph = Graph(model)
        x, y = graph.tensor("x", (1, 8)), graph.tensor("y", (1, 4))
        graph.fully_connected(x, graph.constant(f"w{g}", WEIGHT), -1, y)
        graph.ends([x], [y])
    assert [site.tensor.name for site in sites_of(packed(model))] == ["w0", "w1"]


def computed_weight(graph: Graph) -> int:
    """A weight that NEG makes of a constant."""
    made = graph.tensor("negative", WEIGHT.shape)
    graph.op(schema.BuiltinOperator.NEG, [graph.constant("w", WEIGHT)], [made], schema.NegOptionsT())
    return made


def weight_from_outside(graph: Graph) -> int:
    return graph.tensor("w", WEIGHT.shape)


@pytest.mark.parametrize("make", [computed_weight, weight_from_outside])
def test_weight_that_is_no_constant_is_no_site(make: object) -> None:
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 8)), graph.tensor("y", (1, 4))
    graph.fully_connected(x, make(graph), -1, y)
    graph.ends([x], [y])
    assert sites_of(packed(model)) == []


def test_constant_that_an_operator_overwrites_is_no_site() -> None:
    model = new_model()
    graph = Graph(model)
    x, y, w = graph.tensor("x", (1, 8)), graph.tensor("y", (1, 4)), graph.constant("w", WEIGHT)
    graph.op(schema.BuiltinOperator.NEG, [graph.constant("other", WEIGHT)], [w], schema.NegOptionsT())
    graph.fully_connected(x, w, -1, y)
    graph.ends([x], [y])
    assert sites_of(packed(model)) == []


def test_operator_that_lacks_inputs_or_outputs_is_passed_over() -> None:
    model = Model.from_bytes(one_op("TRANSPOSE_CONV", weight_for("TRANSPOSE_CONV", "float32")))
    (operator,) = model.subgraphs[0].operators
    full: list[Tensor | None] = list(operator.inputs)
    for inputs in ([], full[:1], full[:2], [full[0], None, full[2]], [full[0], full[1], None]):
        operator.inputs = inputs
        assert weight_sites(model) == []
    gather = Model.from_bytes(one_op("GATHER", weight_for("GATHER", "float32")))
    gather.subgraphs[0].operators[0].outputs = []
    assert weight_sites(gather) == []


def test_dequantize_that_reads_what_it_writes_ends() -> None:
    model = Model.from_bytes(one_op("CONV_2D", weight_for("CONV_2D", "float16"), dequantized=True))
    dequantize = model.subgraphs[0].operators[0]
    dequantize.inputs = dequantize.outputs
    assert weight_sites(model) == []
