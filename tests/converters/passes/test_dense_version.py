"""The version of a FULLY_CONNECTED follows from its types and options once its weights are dense."""

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from models_in_memory import Graph, new_model, packed
from one_op_models import one_op, weight_for

from sparsetool_converters.model import Model
from sparsetool_converters.passes.dense_version import dense_version


def model_with(*, bias: bool = True, **options: Any) -> Model:
    """Float32 FULLY_CONNECTED of version 8."""
    built = new_model()
    graph = Graph(built)
    shape = (1, 2, 16) if options.get("keepNumDims") else (2, 16)
    x, y = graph.tensor("x", shape), graph.tensor("y", (*shape[:-1], 4))
    w = graph.constant("w", np.ones((4, 16), np.float32))
    inputs = [x, w, graph.constant("b", np.ones(4, np.float32))] if bias else [x, w]
    graph.op(schema.BuiltinOperator.FULLY_CONNECTED, inputs, [y], schema.FullyConnectedOptionsT(**options), version=8)
    graph.ends([x], [y])
    return Model.from_bytes(packed(built))


@pytest.mark.parametrize(
    ("options", "version"), [({}, 1), ({"bias": False}, 6), ({"keepNumDims": True}, 5)], ids=["plain", "bias", "dims"]
)
def test_version_is_one_that_the_runtime_takes(options: dict[str, Any], version: int) -> None:
    model = model_with(**options)
    (operator,) = model.subgraphs[0].operators
    assert dense_version(operator) == version
    operator.code = model.operator_code(operator.code.builtin, version)
    interpreter = Interpreter(model_content=model.to_bytes())
    interpreter.allocate_tensors()
    interpreter.invoke()
    assert "DELEGATE" in [found["op_name"] for found in interpreter._get_ops_details()]


def test_options_that_are_absent_are_the_defaults() -> None:
    (operator,) = model_with().subgraphs[0].operators
    operator.fields.builtinOptions, operator.fields.builtinOptionsType = None, 0
    assert dense_version(operator) == 1


@pytest.mark.parametrize("version", [1, 3, 9, 12])
def test_any_version_but_8_stays(version: int) -> None:
    data = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8"), version=version)
    assert dense_version(Model.from_bytes(data).subgraphs[0].operators[0]) == version


def test_another_operator_of_version_8_stays() -> None:
    data = one_op("CONV_2D", weight_for("CONV_2D", "float32"), version=8)
    assert dense_version(Model.from_bytes(data).subgraphs[0].operators[0]) == 8
