"""Operators that read or do something else are named, whatever names tensors have and however weights are stored."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool.pipeline.events import Silence
from sparsetool.verify.wiring import wiring_findings
from sparsetool_converters.model import Model

OPERATOR = schema.BuiltinOperator


def branches(*, swapped=False, stride=1, fused=0):
    """x through two convolutions, whose difference is the output."""
    model = new_model()
    graph = Graph(model)
    x = graph.tensor("x", (1, 4, 4, 2))
    made = []
    for name in ("a", "b"):
        weight = graph.constant(f"w_{name}", np.full((2, 1, 1, 2), len(made) + 1, np.float32))
        bias = graph.constant(f"bias_{name}", np.zeros(2, np.float32))
        size = 4 // stride
        made.append(graph.tensor(name, (1, size, size, 2)))
        options = schema.Conv2DOptionsT(strideH=stride, strideW=stride, dilationHFactor=1, dilationWFactor=1)
        options.fusedActivationFunction = fused
        graph.op(OPERATOR.CONV_2D, [x, weight, bias], [made[-1]], options)
    out = graph.tensor("out", (1, 4 // stride, 4 // stride, 2))
    graph.op(OPERATOR.SUB, made[::-1] if swapped else made, [out], schema.SubOptionsT())
    graph.ends([x], [out])
    return packed(model)


def findings(reference, candidate):
    return [(f.kind, f.where, f.problem) for f in wiring_findings(*map(Model.from_bytes, (reference, candidate)))]


def test_a_model_is_wired_as_itself():
    assert findings(branches(), branches()) == []


def test_swapped_inputs_of_an_operator_are_named():
    assert findings(branches(), branches(swapped=True)) == [
        ("graph", "operator 2 SUB", "input 0 comes from operator 1 CONV_2D instead of operator 0 CONV_2D"),
        ("graph", "operator 2 SUB", "input 1 comes from operator 0 CONV_2D instead of operator 1 CONV_2D"),
    ]


def test_other_options_are_named():
    assert [f[1:] for f in findings(branches(), branches(fused=1))] == [
        ("operator 0 CONV_2D", "fusedActivationFunction is 1 instead of 0"),
        ("operator 1 CONV_2D", "fusedActivationFunction is 1 instead of 0"),
    ]
    assert ("operator 0 CONV_2D", "strideH is 2 instead of 1") in [
        f[1:] for f in findings(branches(), branches(stride=2))
    ]


@pytest.mark.parametrize("quantize", ["none", "float16", "dynamic", "int8"])
def test_what_a_conversion_inserts_is_looked_through(quantize):
    rng = np.random.default_rng(2)
    weights = [rng.normal(size=(32, 64)) * (rng.random((32, 64)) > 0.9) for _ in range(1)] + [rng.normal(size=(8, 32))]
    model = mlp(weights)
    settings = Settings(quantize=quantize)
    calibration = rng.random((8, 64), np.float32)
    small = convert(model, settings, calibration=calibration, where="model", listener=Silence()).result
    assert findings(model, small) == []


def test_names_do_not_matter():
    model = Model.from_bytes(branches())
    for number, tensor in enumerate(model.subgraphs[0].tensors):
        tensor.fields.name = f"t{number % 2}".encode()
    assert findings(branches(), model.to_bytes()) == []


def test_models_of_other_operators_are_not_compared():
    assert findings(branches(), mlp([np.ones((4, 8))])) == []
