"""Recipes for single layers."""

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool_converters.errors import CalibrationDataError, UsageError
from sparsetool_converters.model import Model
from sparsetool_converters.passes.quantize import Quantize
from sparsetool_converters.passes.quantize_layers import LayerRecipe, parse_layer

RNG = np.random.default_rng(0)
NETWORK = mlp([RNG.normal(size=shape) for shape in ((32, 32), (32, 32), (8, 32))])  # writes h0, h1 and y
SAMPLES = RNG.random((4, 32)).astype(np.float32)


def weights(mode: str, *layers: str) -> list[str]:
    """Types of the three weights."""
    model = Model.from_bytes(NETWORK)
    Quantize(mode, SAMPLES, layers=tuple(map(parse_layer, layers)))(model)
    return [t.type_name for t in model.subgraphs[0].tensors if t.name in ("w0", "w1", "w2") and t.is_constant]


@pytest.mark.parametrize(
    ("mode", "layers", "types"),
    [
        ("dynamic", ["^w1$=none"], ["INT8", "FLOAT32", "INT8"]),
        ("dynamic", ["h1=none"], ["INT8", "FLOAT32", "INT8"]),
        ("dynamic", ["w=none", "w2=float16"], ["FLOAT32", "FLOAT32", "FLOAT16"]),
        ("dynamic", ["w2=float16", "w=none"], ["FLOAT32", "FLOAT32", "FLOAT32"]),
        ("dynamic", ["w0=none", "w1=none", "w0=weight_only_wi4_afp32"], ["INT4", "FLOAT32", "INT8"]),
        ("none", ["w[01]=dynamic_wi4_afp32+octav"], ["INT4", "INT4", "FLOAT32"]),
        ("int8", ["^y=none"], ["INT8", "INT8", "FLOAT32"]),
    ],
)
def test_the_last_pattern_that_is_found_in_the_name_of_a_weight_or_an_output_counts(
    mode: str, layers: list[str], types: list[str]
) -> None:
    assert weights(mode, *layers) == types


def test_layer_that_stays_float_at_the_end_leaves_the_output_float() -> None:
    model = Model.from_bytes(NETWORK)
    Quantize("int8", SAMPLES, layers=(LayerRecipe(pattern="^y;", recipe="none"),))(model)
    (y,) = model.subgraphs[0].outputs
    assert y is not None
    assert (y.name, y.type_name) == ("y", "FLOAT32")


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        ("logits=none", "no layer matches 'logits'; layers here are 'h0', 'h1', 'y'"),
        ("w0", "'w0' is not PATTERN=NAME, as in 'logits=none'"),
        ("=none", "'=none' is not PATTERN=NAME"),
        ("w(=none", r"layer pattern 'w\(' is not a regular expression: "),
        ("(?i)w=none", "is not a regular expression: global flags not at the start"),
        ("w0=nnoe", "no quantization recipe 'nnoe'; did you mean 'none'?"),
    ],
)
def test_pattern_that_means_nothing_is_refused_in_one_line(layer: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as caught:
        weights("dynamic", layer)
    assert "\n" not in str(caught.value)


def test_layer_with_a_static_recipe_needs_calibration_data() -> None:
    with pytest.raises(CalibrationDataError, match="int8 needs calibration data"):
        Quantize("dynamic", layers=(LayerRecipe(pattern="w", recipe="int8"),))(Model.from_bytes(NETWORK))
