"""Scales of activations and biases that were changed are named."""

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool.pipeline.events import Silence
from sparsetool.verify.scales import scale_findings
from sparsetool_converters.model import Model


@pytest.fixture(scope="module")
def models():
    """A float model and what int8 quantization makes of it, dense."""
    rng = np.random.default_rng(6)
    model = mlp([rng.normal(size=(32, 64)), rng.normal(size=(8, 32))], [rng.normal(size=32), rng.normal(size=8)])
    settings = Settings(quantize="int8", encode=False, compact=False)
    samples = rng.random((8, 64), np.float32)
    return model, convert(model, settings, calibration=samples, where="model", listener=Silence()).result


def with_scale_off(data, name, place=0):
    model = Model.from_bytes(data)
    tensor = next(t for t in model.subgraphs[0].tensors if t.name == name)
    scales = np.array(tensor.quantization.scale)
    scales[place] *= 1.01
    tensor.quantization.scale = scales
    return model.to_bytes()


def findings(reference, candidate):
    return [(f.where, f.problem) for f in scale_findings(*map(Model.from_bytes, (reference, candidate)))]


def test_quantized_models_follow_the_rule(models):
    dense, quantized = models
    assert findings(dense, quantized) == []
    assert findings(quantized, quantized) == []


@pytest.mark.parametrize("name", ["x", "h0", "y"])
def test_an_activations_scale_is_compared_where_both_are_quantized(models, name):
    _, quantized = models
    found = dict(findings(quantized, with_scale_off(quantized, name)))
    assert found[name].startswith("its scale is off by +1.00%: ")


@pytest.mark.parametrize(("name", "bias"), [("x", "b0"), ("h0", "b1"), ("w1", "b1"), ("b0", "b0")])
def test_beside_a_float_model_the_bias_tells(models, name, bias):
    dense, quantized = models
    ((where, problem),) = findings(dense, with_scale_off(quantized, name, 0))
    assert where == bias
    assert problem.startswith("its scale is off by ")
    assert "the scale of " in problem


def test_a_rule_that_the_reference_breaks_alike_is_no_finding(models):
    _, quantized = models
    both = with_scale_off(quantized, "b0")
    assert findings(both, both) == []
