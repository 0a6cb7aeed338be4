"""Which models remember what they were given."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed

from sparsetool_converters.model import Model
from sparsetool_converters.model.state import is_stateful


def with_variable_tensor():
    model = new_model()
    graph = Graph(model)
    x, state, y = graph.tensor("x", (1, 4)), graph.tensor("state", (1, 4), variable=True), graph.tensor("y", (1, 4))
    graph.op(schema.BuiltinOperator.ADD, [x, state], [y], schema.AddOptionsT())
    graph.ends([x], [y])
    return packed(model)


def with_resource(operator):
    """A resource that only the second subgraph touches."""
    model = new_model()
    main, other = Graph(model), Graph(model)
    x, y = main.tensor("x", (1, 4)), main.tensor("y", (1, 4))
    main.op(schema.BuiltinOperator.ABS, [x], [y], schema.AbsOptionsT())
    main.ends([x], [y])
    handle = other.tensor("handle", (1,), "int32")
    other.op(operator, [], [handle])
    other.ends([], [])
    return packed(model)


def test_a_network_of_layers_forgets():
    assert not is_stateful(Model.from_bytes(mlp([np.ones((4, 4)), np.ones((4, 4))])))


def test_a_variable_tensor_is_state():
    assert is_stateful(Model.from_bytes(with_variable_tensor()))


@pytest.mark.parametrize("name", ["VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"])
def test_a_resource_is_state_in_whatever_subgraph(name):
    assert is_stateful(Model.from_bytes(with_resource(getattr(schema.BuiltinOperator, name))))
    assert not is_stateful(Model.from_bytes(with_resource(schema.BuiltinOperator.CONCATENATION)))
