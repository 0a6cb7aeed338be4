"""Ties of the operators that have weights."""

import math

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Operator, Tensor
from sparsetool_converters.passes.compact.ties import Contraction, Lanes, Least, Length, Numbers, Ties
from sparsetool_converters.passes.compact.view import (
    Unclear,
    View,
    dynamic_axes,
    given,
    length,
    made,
    optional,
    options,
)

_SAME = 0  # schema.Padding
_ACTIVATIONS = ("FLOAT32", "INT8", "UINT8", "INT16")
_LANES = 8  # of DEPTHWISE_CONV_2D and TRANSPOSE_CONV in int8, measured with ai-edge-litert 2.3.0
# On ARM64, CONV_2D and FULLY_CONNECTED in int8 and without delegates make a single column of outputs with a kernel of
# its own if the weight is at least so large, [outputs, products]; it rounds half-way sums otherwise than the kernel for
# smaller weights. Measured with ai-edge-litert 2.3.0 on emulated Cortex-A53 and Cortex-A76.
_LEAST_OF_ONE_COLUMN = (4, 8)


def conv_2d(operator: Operator, view: View) -> Ties:
    """Weight [outputs, h, w, inputs]. Grouped convolutions, with more channels than inputs, are left alone."""
    o = options(operator, schema.Conv2DOptionsT)
    x, weight = given(operator, 0), _weight(operator, view)
    strides, dilations = (o.strideH, o.strideW), (o.dilationHFactor, o.dilationWFactor)
    mixes = o.padding == _SAME and any(
        _pads(x, 1 + i, length(weight, 1 + i), strides[i], dilations[i]) for i in range(2)
    )
    least = _least(weight, made(operator))
    return _contraction(operator, view, x, weight, bias_position=2, mixes_padding=mixes, least=least)


def fully_connected(operator: Operator, view: View) -> Ties:
    """Weight [outputs, inputs]; an input of more dimensions is flattened, its last axis repeated along the inputs."""
    o = options(operator, schema.FullyConnectedOptionsT)
    x, weight = given(operator, 0), _weight(operator, view)
    if o.weightsFormat != 0 or len(weight.shape) != 2 or (o.keepNumDims and length(x) != length(weight, 1)):
        raise Unclear
    least = _least(weight, made(operator))
    return _contraction(operator, view, x, weight, bias_position=2, mixes_padding=False, least=least)


def transpose_conv(operator: Operator, view: View) -> Ties:
    """Inputs are the output's shape, weight [outputs, h, w, inputs], x and bias; outputs see different taps."""
    options(operator, schema.TransposeConvOptionsT)
    y, weight = made(operator), _weight(operator, view)
    wanted = view.integers(given(operator, 0))
    if len(wanted) != 4 or len(y.shape) != 4 or wanted[3] != length(y):
        raise Unclear
    size = Length(operator=operator, position=0, index=3, axis=(y, 3))
    return _contraction(
        operator,
        view,
        given(operator, 2),
        weight,
        bias_position=3,
        mixes_padding=True,
        lengths=(size,),
        lanes=_lanes(y),
    )


def depthwise_conv_2d(operator: Operator, view: View) -> Ties:
    """Weight [1, h, w, outputs]: channel c of the input makes the outputs c * m to c * m + m - 1."""
    options(operator, schema.DepthwiseConv2DOptionsT)
    x, weight, bias = given(operator, 0), _weight(operator, view), optional(operator, 2)
    inputs, outputs = length(x), length(weight, 3)
    if weight.shape[0] != 1 or outputs % inputs or x.type_name not in _ACTIVATIONS:
        raise Unclear
    numbers = np.arange(outputs) // (outputs // inputs)
    y = made(operator)
    ends = [(x, -1, np.arange(inputs)), (weight, 3, numbers), (y, -1, numbers)]
    return Ties(axes=[*ends, *_bias_axis(bias, view, numbers)], lanes=_lanes(y))


def _lanes(y: Tensor) -> tuple[Lanes, ...]:
    """Of these kernels' output. Those for uint8 go through pixels and channels alike, so no channel may move."""
    if y.type_name == "UINT8":
        raise Unclear
    return (Lanes(axis=(y, len(y.shape) - 1), width=_LANES),) if y.type_name == "INT8" else ()


def _least(weight: Tensor, y: Tensor) -> tuple[Least, ...]:
    """What has to stay of a weight whose outputs may be a single column."""
    outputs, products = weight.shape[0], math.prod(weight.shape[1:])
    may_be_one = all(size == 1 or axis in dynamic_axes(y) for axis, size in enumerate(y.shape[:-1]))
    least_outputs, least_products = _LEAST_OF_ONE_COLUMN
    if y.type_name not in ("INT8", "UINT8") or not may_be_one or outputs < least_outputs or products < least_products:
        return ()
    taps = products // weight.shape[-1]
    return (
        Least(axis=(weight, 0), positions=least_outputs),
        Least(axis=(weight, len(weight.shape) - 1), positions=-(-least_products // taps)),
    )


def _weight(operator: Operator, view: View) -> Tensor:
    """The constant weight, whose payload is as long as its shape says."""
    weight = given(operator, 1)
    constant = view.constant(weight)
    floats = constant.values.dtype.kind == "f"
    if not (constant.dequantized or floats) and (constant.scale is None or constant.values.dtype.itemsize != 1):
        raise Unclear
    if floats and weight.type_name != "FLOAT32":
        raise Unclear
    if len(weight.shape) != 2 and len(weight.shape) != 4:
        raise Unclear
    return weight


def _bias_axis(bias: Tensor | None, view: View, numbers: Numbers) -> list[tuple[Tensor, int, Numbers]]:
    if bias is None:
        return []
    if view.constant(bias).values.shape != (len(numbers),):
        raise Unclear
    return [(bias, 0, numbers)]


def _contraction(
    operator: Operator,
    view: View,
    x: Tensor,
    weight: Tensor,
    *,
    bias_position: int,
    mixes_padding: bool,
    lengths: tuple[Length, ...] = (),
    lanes: tuple[Lanes, ...] = (),
    least: tuple[Least, ...] = (),
) -> Ties:
    y, bias = made(operator), optional(operator, bias_position)
    outputs, inputs, channels = weight.shape[0], weight.shape[-1], length(x)
    if x.type_name not in _ACTIVATIONS or y.type != x.type or inputs % channels:
        raise Unclear
    if inputs != channels and operator.name != "FULLY_CONNECTED":
        raise Unclear
    rows, columns = np.arange(outputs), outputs + np.arange(channels)
    return Ties(
        axes=[
            (x, -1, columns),
            (weight, 0, rows),
            (weight, -1, np.tile(columns, inputs // channels)),
            (y, -1, rows),
            *_bias_axis(bias, view, rows),
        ],
        lengths=lengths,
        lanes=lanes,
        least=least,
        contraction=Contraction(
            operator=operator, x=x, weight=weight, bias_position=bias_position, mixes_padding=mixes_padding
        ),
    )


def _pads(x: Tensor, axis: int, taps: int, stride: int, dilation: int) -> bool:
    """Whether SAME padding adds anything along an axis, as ComputePadding does (tflite/kernels/padding.h @ f674577)."""
    if taps == 1:
        return False
    if stride < 1 or dilation < 1 or axis in dynamic_axes(x):
        return True
    size = length(x, axis)
    outputs = -(-size // stride)
    return (outputs - 1) * stride + (taps - 1) * dilation + 1 > size
