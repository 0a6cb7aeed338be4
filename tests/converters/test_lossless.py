"""Small networks of any shape and sparsity through all passes that may not change what they compute."""

from itertools import pairwise
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_sets import difference, run_here
from models_in_memory import Graph, mlp, new_model, packed

from sparsetool_converters.model import Model
from sparsetool_converters.model.writer import ALIGNMENT
from sparsetool_converters.passes import Canonicalize, Compact, EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT

SPARSITIES = st.sampled_from([0.0, 0.3, 0.7, 0.9, 0.97, 1.0])
SEEDS = st.integers(0, 2**32 - 1)


def converted(data: bytes) -> bytes:
    model = Model.from_bytes(data)
    Canonicalize()(model)
    Compact()(model)
    EncodeSparse(make_plan(model, LITERT))(model)
    return model.to_bytes()


def sparse(rng: np.random.Generator, shape: tuple[int, ...], zeros: float, block: int) -> np.ndarray:
    """Weights with zeros of both signs, in runs along the last axis, and some columns all zero.

    None is under 0: a sum that cancels would make any rounding look large.
    """
    weight = rng.random(shape)
    run = block if shape[-1] % block == 0 else 1
    keep = rng.random((*shape[:-1], shape[-1] // run)) >= zeros
    weight = weight * np.repeat(keep, run, axis=-1)
    weight[..., rng.random(shape[-1]) < zeros / 3] *= -0.0
    return weight


@st.composite
def networks(draw: Any) -> tuple[bytes, np.ndarray]:
    sizes = draw(st.lists(st.sampled_from([1, 3, 4, 16, 33, 64, 100]), min_size=2, max_size=5))
    rng = np.random.default_rng(draw(SEEDS))
    weights = [
        sparse(rng, (after, before), draw(SPARSITIES), draw(st.sampled_from([1, 4])))
        for before, after in pairwise(sizes)
    ]
    biases = [rng.random(len(w)) if draw(st.booleans()) else None for w in weights]
    batch = draw(st.sampled_from([1, 2, 5]))
    x = rng.random((batch, sizes[0])).astype(np.float32)
    return mlp(weights, biases, batch=batch), x


@st.composite
def convolutions(draw: Any) -> tuple[bytes, np.ndarray]:
    """CONV_2D and DEPTHWISE_CONV_2D, weights in float32, or float16 behind DEQUANTIZE."""
    rng = np.random.default_rng(draw(SEEDS))
    side, channels, filters = draw(st.integers(3, 8)), draw(st.sampled_from([1, 3, 16])), draw(st.integers(1, 40))
    kernel, dtype = draw(st.sampled_from([1, 3])), draw(st.sampled_from(["float32", "float16"]))
    model = new_model()
    graph = Graph(model)
    x = graph.tensor("x", (1, side, side, channels))
    h, y = (graph.tensor(name, (1, side, side, filters)) for name in "hy")

    def weight(name: str, shape: tuple[int, ...]) -> int:
        stored = graph.constant(name, sparse(rng, shape, draw(SPARSITIES), 1).astype(dtype))
        return graph.dequantized(stored) if dtype == "float16" else stored

    bias = graph.constant("b", rng.random(filters).astype(np.float32))
    conv = schema.Conv2DOptionsT(strideH=1, strideW=1)
    graph.op(schema.BuiltinOperator.CONV_2D, [x, weight("w0", (filters, kernel, kernel, channels)), bias], [h], conv)
    depthwise = schema.DepthwiseConv2DOptionsT(strideH=1, strideW=1, depthMultiplier=1)
    inputs = [h, weight("w1", (1, kernel, kernel, filters)), bias]
    graph.op(schema.BuiltinOperator.DEPTHWISE_CONV_2D, inputs, [y], depthwise)
    graph.ends([x], [y])
    return packed(model), rng.random((1, side, side, channels)).astype(np.float32)


@settings(max_examples=150, deadline=None)
@given(networks() | convolutions())
def test_passes_keep_the_outputs_and_never_grow_the_file(case: tuple[bytes, np.ndarray]) -> None:
    data, x = case
    after = converted(data)
    (expected,), (found,) = run_here(data, x), run_here(after, x)
    assert np.array_equal(expected, found) or difference(expected, found) <= 1.0
    before = Model.from_bytes(data)
    padding_bytes = (ALIGNMENT - 1) * len(before.buffers)
    assert len(after) <= len(before.to_bytes()) + padding_bytes


@settings(max_examples=30, deadline=None)
@given(networks())
def test_same_input_gives_the_same_bytes(case: tuple[bytes, np.ndarray]) -> None:
    assert converted(case[0]) == converted(case[0])
