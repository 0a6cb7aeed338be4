"""Small networks, float or int8, put together layer by layer, with channels that are dead on purpose."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, new_model, packed

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

SAME, VALID = 0, 1
NOTHING = np.zeros(0, np.intp)
NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the network: its index, shape, scale and zero point (None in float), and who must not read it."""

    index: int
    shape: tuple[int, ...]
    quantization: tuple[float, int] | None
    unread: Mask = field(repr=False)

    @property
    def channels(self) -> int:
        return self.shape[-1]


class Network:
    """A model of one subgraph under construction.

    Args:
        rng: makes the weights.
        int8: whether activations and weights are int8.
        float16: whether float constants are stored in float16, before a DEQUANTIZE.
    """

    def __init__(self, rng: np.random.Generator, *, int8: bool = False, float16: bool = False) -> None:
        self.rng, self.int8, self.float16 = rng, int8, float16
        self.model = new_model()
        self.graph = Graph(self.model)
        self.inputs: list[Value] = []
        self._names = 0

    def name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}{self._names}"

    def value(
        self, kind: str, shape: Sequence[int], quantization: tuple[float, int] | None = None, unread: Mask | None = None
    ) -> Value:
        """An activation; in int8 with the quantization given, or one out of few."""
        unread = np.zeros(shape[-1], bool) if unread is None else unread
        if not self.int8:
            return Value(self.graph.tensor(self.name(kind), shape), tuple(shape), None, unread)
        choices = ((0.05, 3), (0.05, -128), (0.03, -20), (0.05, 3))
        scale, zero_point = quantization or choices[self.rng.integers(len(choices))]
        index = self.graph.tensor(self.name(kind), shape, "int8", scale=scale, zero_point=zero_point)
        return Value(index, tuple(shape), (scale, zero_point), unread)

    def input(self, shape: Sequence[int]) -> Value:
        self.inputs.append(self.value("x", shape))
        return self.inputs[-1]

    def add_op(self, name: str, inputs: Sequence[int], y: Value, options: object, version: int = 1) -> Value:
        builtin = getattr(schema.BuiltinOperator, name)
        self.graph.op(builtin, inputs, [y.index], options, version=version)
        return y

    def constant(self, kind: str, array: Array, **more: Any) -> int:
        """A constant as operators see it; floats may stand before a DEQUANTIZE."""
        if array.dtype == np.float32 and self.float16:
            return self.graph.dequantized(self.graph.constant(self.name(kind), array.astype(np.float16)))
        return self.graph.constant(self.name(kind), array, **more)

    def numbers(self, *values: int) -> int:
        return self.graph.constant(self.name("numbers"), np.array(values, np.int32))

    def weight(self, shape: Sequence[int], dead: Array, unread: Mask, axis: int = 0) -> Array:
        """Random weights: zero for dead outputs, along `axis`, and for inputs that must not be read."""
        weight = self.rng.standard_normal(tuple(shape)) / np.sqrt(max(np.prod(shape) / shape[axis], 1))
        weight = np.moveaxis(weight, axis, 0)
        weight[dead] = 0
        if axis == 0:
            weight[..., np.resize(unread, shape[-1])] = 0
        return np.moveaxis(weight, 0, axis)

    def weight_and_bias(self, x: Value, y: Value, weight: Array, bias: Array | None, axis: int) -> tuple[int, int]:
        """The constants of a layer; in int8 with a scale for each output, or one for all."""
        if not self.int8:
            w = self.constant("w", weight.astype(np.float32))
            return w, -1 if bias is None else self.constant("b", bias.astype(np.float32))
        assert x.quantization is not None
        outputs = weight.shape[axis]
        scale: Any = self.rng.uniform(0.005, 0.02, outputs) if self.rng.random() < 0.7 else 0.01
        along = np.reshape(scale, [-1 if i == axis else 1 for i in range(weight.ndim)]) if np.size(scale) > 1 else scale
        steps = np.clip(np.rint(weight / along), -127, 127).astype(np.int8)
        w = self.graph.constant(self.name("w"), steps, scale=scale, axis=axis if np.size(scale) > 1 else 0)
        if bias is None:
            return w, -1
        bias_scale = np.asarray(scale) * x.quantization[0]
        sums = np.rint(bias / bias_scale).astype(np.int32)
        return w, self.graph.constant(self.name("b"), sums, scale=bias_scale)

    def conv(
        self,
        x: Value,
        channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        padding: int = SAME,
        fused: int = NONE,
        dead: Array = NOTHING,
        bias: Array | None = None,
        unread: Mask | None = None,
        constants: tuple[int, int] | None = None,
        dilation: int = 1,
    ) -> Value:
        """CONV_2D; `constants` are those of another layer, to share them."""
        size = _out_size(x.shape[1:3], kernel, stride, padding, dilation)
        y = self.value("conv", (x.shape[0], *size, channels), unread=unread)
        weight = self.weight((channels, kernel, kernel, x.channels), dead, x.unread)
        w, b = constants or self.weight_and_bias(x, y, weight, np.zeros(channels) if bias is None else bias, 0)
        options = schema.Conv2DOptionsT(padding=padding, strideH=stride, strideW=stride, fusedActivationFunction=fused)
        options.dilationHFactor = options.dilationWFactor = dilation
        return self.add_op("CONV_2D", [x.index, w, b], y, options, 3 if self.int8 else 1)

    def depthwise(
        self,
        x: Value,
        *,
        multiplier: int = 1,
        kernel: int = 3,
        stride: int = 1,
        padding: int = SAME,
        fused: int = NONE,
        dead: Array = NOTHING,
        bias: Array | None = None,
    ) -> Value:
        channels = x.channels * multiplier
        size = _out_size(x.shape[1:3], kernel, stride, padding)
        y = self.value("depthwise", (x.shape[0], *size, channels), unread=np.repeat(x.unread, multiplier))
        weight = self.weight((1, kernel, kernel, channels), dead, x.unread, axis=3)
        w, b = self.weight_and_bias(x, y, weight, np.zeros(channels) if bias is None else bias, 3)
        options = schema.DepthwiseConv2DOptionsT(padding=padding, strideH=stride, strideW=stride)
        options.depthMultiplier, options.fusedActivationFunction = multiplier, fused
        return self.add_op("DEPTHWISE_CONV_2D", [x.index, w, b], y, options, 3 if self.int8 else 1)

    def transpose_conv(self, x: Value, channels: int, *, dead: Array = NOTHING) -> Value:
        shape = (x.shape[0], 2 * x.shape[1], 2 * x.shape[2], channels)
        y = self.value("transpose_conv", shape)
        weight = self.weight((channels, 3, 3, x.channels), dead, x.unread)
        w, b = self.weight_and_bias(x, y, weight, self.rng.uniform(-1, 1, channels), 0)
        options = schema.TransposeConvOptionsT(padding=SAME, strideH=2, strideW=2)
        return self.add_op("TRANSPOSE_CONV", [self.numbers(*shape), w, x.index, b], y, options, 3)

    def dense(
        self,
        x: Value,
        units: int,
        *,
        fused: int = NONE,
        dead: Array = NOTHING,
        bias: Array | None = None,
        unread: Mask | None = None,
    ) -> Value:
        """FULLY_CONNECTED, which flattens all but the batch."""
        columns = int(np.prod(x.shape[1:]))
        y = self.value("dense", (x.shape[0], units), unread=unread)
        w, b = self.weight_and_bias(x, y, self.weight((units, columns), dead, x.unread), bias, 0)
        options = schema.FullyConnectedOptionsT(fusedActivationFunction=fused)
        return self.add_op("FULLY_CONNECTED", [x.index, w, b], y, options, 4 if self.int8 else 1)

    def binary(self, name: str, a: Value, b: Value, fused: int = NONE) -> Value:
        """An elementwise operator of two activations."""
        same = name in ("MAXIMUM", "MINIMUM")
        kinds = {"ADD": schema.AddOptionsT, "SUB": schema.SubOptionsT, "MUL": schema.MulOptionsT}
        options = kinds[name](fusedActivationFunction=fused) if name in kinds else schema.MaximumMinimumOptionsT()
        shape = np.broadcast_shapes(a.shape, b.shape)
        y = self.value(name.lower(), shape, a.quantization if same else None, unread=a.unread | b.unread)
        return self.add_op(name, [a.index, b.index], y, options, 2 if self.int8 else 1)

    def with_constant(self, name: str, a: Value, numbers: Array, fused: int = NONE) -> Value:
        """The same with a constant of one number for each channel."""
        if self.int8:
            stored = np.clip(np.rint(numbers / 0.02), -128, 127).astype(np.int8)
            index = self.graph.constant(self.name("c"), stored, scale=0.02)
        else:
            index = self.constant("c", numbers.astype(np.float32))
        return self.binary(name, a, Value(index, numbers.shape, (0.02, 0), np.zeros(len(numbers), bool)), fused)

    def unary(self, name: str, x: Value) -> Value:
        options: Any = {
            "LEAKY_RELU": schema.LeakyReluOptionsT(alpha=0.2),
            "HARD_SWISH": schema.HardSwishOptionsT(),
            "QUANTIZE": schema.QuantizeOptionsT(),
        }.get(name)
        fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(name)
        y = self.value(name.lower(), x.shape, fixed, unread=x.unread)
        return self.add_op(name, [x.index], y, options, 2 if self.int8 and name != "HARD_SWISH" else 1)

    def prelu(self, x: Value) -> Value:
        alpha = self.rng.uniform(-1, 1, (1, 1, x.channels))
        if self.int8:
            stored = np.rint(alpha / 0.01).astype(np.int8)
            index = self.graph.constant(self.name("alpha"), stored, scale=0.01)
        else:
            index = self.constant("alpha", alpha.astype(np.float32))
        return self.add_op("PRELU", [x.index, index], self.value("prelu", x.shape, unread=x.unread), None)

    def pool(self, name: str, x: Value, *, padding: int = SAME, fused: int = NONE) -> Value:
        y = self.value(
            "pool", (x.shape[0], *_out_size(x.shape[1:3], 2, 2, padding), x.channels), x.quantization, x.unread
        )
        options = schema.Pool2DOptionsT(padding=padding, strideH=2, strideW=2, filterWidth=2, filterHeight=2)
        options.fusedActivationFunction = fused
        return self.add_op(name, [x.index], y, options, 2 if self.int8 else 1)

    def mean(self, x: Value, *, keep_dims: bool, name: str = "MEAN") -> Value:
        shape = (x.shape[0], 1, 1, x.channels) if keep_dims else (x.shape[0], x.channels)
        same = x.quantization if name == "REDUCE_MAX" or self.rng.random() < 0.5 else None
        y = self.value("mean", shape, same, x.unread)
        options = schema.ReducerOptionsT(keepDims=keep_dims)
        return self.add_op(name, [x.index, self.numbers(1, 2)], y, options, 2 if self.int8 else 1)

    def pad(self, x: Value) -> Value:
        sides = self.graph.constant(self.name("sides"), np.array([[0, 0], [1, 0], [0, 2], [0, 0]], np.int32))
        y = self.value("pad", (x.shape[0], x.shape[1] + 1, x.shape[2] + 2, x.channels), x.quantization, x.unread)
        return self.add_op("PAD", [x.index, sides], y, schema.PadOptionsT(), 2 if self.int8 else 1)

    def concatenate(self, parts: Sequence[Value], axis: int = -1, fused: int = NONE) -> Value:
        first = parts[0]
        shape = list(first.shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        every = [part.unread for part in parts]
        unread = np.concatenate(every) if axis % len(shape) == len(shape) - 1 else np.any(every, axis=0)
        y = self.value("concat", shape, first.quantization, unread)
        options = schema.ConcatenationOptionsT(axis=axis, fusedActivationFunction=fused)
        return self.add_op("CONCATENATION", [part.index for part in parts], y, options, 2 if self.int8 else 1)

    def reshape(self, x: Value, shape: Sequence[int], *, as_written: Sequence[int] | None = None) -> Value:
        unread = np.resize(x.unread, shape[-1]) if shape[-1] >= x.channels else np.zeros(shape[-1], bool)
        y = self.value("reshape", shape, x.quantization, unread)
        wanted = list(as_written or shape)
        return self.add_op("RESHAPE", [x.index, self.numbers(*wanted)], y, schema.ReshapeOptionsT(newShape=wanted))

    def resize(self, x: Value, name: str) -> Value:
        shape = (x.shape[0], 2 * x.shape[1], 2 * x.shape[2], x.channels)
        options = schema.ResizeBilinearOptionsT() if "BILINEAR" in name else schema.ResizeNearestNeighborOptionsT()
        y = self.value("resize", shape, x.quantization, x.unread)
        return self.add_op(name, [x.index, self.numbers(*shape[1:3])], y, options, 2 if self.int8 else 1)

    def finished(self, *outputs: Value) -> bytes:
        self.graph.ends([x.index for x in self.inputs], [y.index for y in outputs])
        return packed(self.model)

    def samples(self, rng: np.random.Generator) -> list[Array]:
        """Values for the inputs."""
        if self.int8:
            return [rng.integers(-128, 128, x.shape).astype(np.int8) for x in self.inputs]
        return [rng.standard_normal(x.shape).astype(np.float32) for x in self.inputs]


def _out_size(size: Sequence[int], kernel: int, stride: int, padding: int, dilation: int = 1) -> tuple[int, int]:
    reach = (kernel - 1) * dilation
    height, width = (-(-(n if padding == SAME else n - reach) // stride) for n in size)
    return height, width
