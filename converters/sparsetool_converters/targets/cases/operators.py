"""Models of one operator with a constant weight, in each combination of types that a kernel takes."""

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.targets.cases.graphs import Graph, new_model, packed
from sparsetool_converters.targets.cases.parts import SIDE, Parts
from sparsetool_converters.targets.cases.recurrent import LSTM_BUILDERS

# Versions as TensorFlow's converter writes them: float, int8 weights under float activations, int8 all through.
VERSIONS = {
    "FULLY_CONNECTED": (1, 12, 4),
    "CONV_2D": (1, 5, 3),
    "DEPTHWISE_CONV_2D": (1, 6, 3),
    "TRANSPOSE_CONV": (1, 4, 3),
    "GATHER": (1, 1, 2),
    "EMBEDDING_LOOKUP": (1, 3, 1),
    "BATCH_MATMUL": (1, 4, 2),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (1, 2, 1),
    "LSTM": (1, 3, 1),
}
INT16_ACTIVATIONS_VERSION = 7  # of FULLY_CONNECTED
WEIGHT_SHAPES = {
    "FULLY_CONNECTED": (48, 96),
    "CONV_2D": (32, 3, 3, 16),
    "DEPTHWISE_CONV_2D": (1, 7, 7, 96),
    "TRANSPOSE_CONV": (16, 3, 3, 32),
    "GATHER": (48, 96),
    "EMBEDDING_LOOKUP": (48, 96),
    "BATCH_MATMUL": (96, 48),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (48, 96),
    "LSTM": (48, 96),
}
CHANNEL_AXES = {"DEPTHWISE_CONV_2D": 3}


def weight_for(
    op: str,
    dtype: str,
    *,
    shape: tuple[int, ...] | None = None,
    zeros: float = 0.85,
    block: int = 1,
    seed: int = 5,
) -> npt.NDArray[Any]:
    """A weight of the operator's usual shape, zero in runs of `block` along its last axis."""
    rng = np.random.default_rng(seed)
    shape = shape or WEIGHT_SHAPES[op]
    weight = rng.integers(1, 120, shape) * rng.choice((-1, 1), shape)
    keep = rng.random((*shape[:-1], shape[-1] // block)) >= zeros
    weight = weight * np.repeat(keep, block, axis=-1)
    found: npt.NDArray[Any] = weight.astype(np.int8) if dtype == "int8" else (weight / 128).astype(dtype)
    return found


def one_op(
    op: str,
    weight: npt.NDArray[Any],
    activation: str = "float32",
    *,
    dequantized: bool = False,
    per_channel: bool = True,
    fused: int = 0,
    version: int | None = None,
    asymmetric: bool = True,
) -> bytes:
    """The model: its weight is named "weight", what reads it has a bias wherever the operator takes one.

    Args:
        op: the operator's name in the schema.
        weight: float32, float16 or int8.
        activation: "float32", "int8", or for FULLY_CONNECTED "int16".
        dequantized: whether a DEQUANTIZE makes the weight float32 before the operator.
        per_channel: whether an int8 weight has a scale for each channel where the operator takes them.
        fused: a value of the schema's `ActivationFunctionType`.
        version: of the operator, by default what TensorFlow's converter writes.
        asymmetric: whether a hybrid FULLY_CONNECTED quantizes its inputs asymmetrically.
    """
    model = new_model()
    graph = Graph(model)
    scale: Any = None
    if weight.dtype == np.int8:
        axis = CHANNEL_AXES.get(op, 0)
        has_channels = per_channel and op in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
        scale = np.linspace(0.5, 1.5, weight.shape[axis]) / 128 if has_channels else 1 / 128
        stored = graph.constant("weight", weight, scale=scale, axis=axis if has_channels else 0)
    else:
        stored = graph.constant("weight", weight)
    w = graph.dequantized(stored) if dequantized else stored
    if version is None:
        kind = 0 if dequantized or weight.dtype != np.int8 else 1 if activation == "float32" else 2
        version = INT16_ACTIVATIONS_VERSION if activation == "int16" else VERSIONS[op][kind]
    build = LSTM_BUILDERS.get(op) or _BUILDERS[op]
    build(Parts(graph, weight, w, activation, scale, fused, version, asymmetric))
    return packed(model)


def _fully_connected(p: Parts) -> None:
    outputs, inputs = p.weight.shape
    x, y = p.input((1, inputs)), p.output((1, outputs))
    options = schema.FullyConnectedOptionsT(fusedActivationFunction=p.fused, asymmetricQuantizeInputs=p.asymmetric)
    p.add("FULLY_CONNECTED", [x, p.w, p.bias(outputs)], x, y, options)


def _conv_2d(p: Parts) -> None:
    channels = p.weight.shape[0]
    x, y = p.image(), p.output((1, SIDE, SIDE, channels))
    options = schema.Conv2DOptionsT(strideH=1, strideW=1, fusedActivationFunction=p.fused)
    p.add("CONV_2D", [x, p.w, p.bias(channels)], x, y, options)


def _depthwise_conv_2d(p: Parts) -> None:
    channels = p.weight.shape[-1]
    x, y = p.image(), p.output((1, SIDE, SIDE, channels))
    options = schema.DepthwiseConv2DOptionsT(strideH=1, strideW=1, depthMultiplier=1, fusedActivationFunction=p.fused)
    p.add("DEPTHWISE_CONV_2D", [x, p.w, p.bias(channels)], x, y, options)


def _transpose_conv(p: Parts) -> None:
    channels = p.weight.shape[0]
    shape = (1, 2 * SIDE, 2 * SIDE, channels)
    wanted = p.graph.constant("output_shape", np.array(shape, np.int32))
    x, y = p.image(), p.output(shape)
    options = schema.TransposeConvOptionsT(strideH=2, strideW=2)
    p.add("TRANSPOSE_CONV", [wanted, p.w, x, p.bias(channels)], x, y, options)


def _gather(p: Parts) -> None:
    x = p.input((3,), "int32")
    shape = (3, *p.weight.shape[1:])
    y = p.graph.tensor("y", shape, p.activation, scale=p.scale if p.activation == "int8" else None)
    p.add("GATHER", [p.w, x], x, y, schema.GatherOptionsT())


def _embedding_lookup(p: Parts) -> None:
    x = p.input((3,), "int32")
    p.add("EMBEDDING_LOOKUP", [x, p.w], x, p.output((3, p.weight.shape[1])), None)


def _batch_matmul(p: Parts) -> None:
    inputs, outputs = p.weight.shape
    x, y = p.input((1, 4, inputs)), p.output((1, 4, outputs))
    p.add("BATCH_MATMUL", [x, p.w], x, y, schema.BatchMatMulOptionsT())


_BUILDERS = {
    "FULLY_CONNECTED": _fully_connected,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "TRANSPOSE_CONV": _transpose_conv,
    "GATHER": _gather,
    "EMBEDDING_LOOKUP": _embedding_lookup,
    "BATCH_MATMUL": _batch_matmul,
}
