"""Ties of the operators without weights: what each does to the last axis of its input."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Operator, Tensor
from sparsetool_converters.passes.compact.ties import Lanes, Length, Numbers, Ties
from sparsetool_converters.passes.compact.view import (
    Unclear,
    View,
    activation,
    dynamic_axes,
    given,
    is_scalar,
    length,
    made,
    options,
    whole_axis,
)

_MEAN_LANES = 16  # of MEAN in int8 over height and width, measured with ai-edge-litert 2.3.0
_MOVES_NOTHING = (0, 1, 2, 3, 4)  # fused activations that work on each element: NONE, RELU, RELU_N1_TO_1, RELU6, TANH


def elementwise(operator: Operator, view: View) -> Ties:
    """Each operand's last axis is the output's, or of length 1 and used for all of it."""
    y = made(operator)
    size, axes = length(y), [(y, -1, np.arange(length(y)))]
    if activation(operator) not in _MOVES_NOTHING or len(operator.outputs) != 1:
        raise Unclear
    for position in range(len(operator.inputs)):
        x = given(operator, position)
        if is_scalar(x):
            if x.shape:
                axes.append((x, -1, np.array([size + position])))
        elif length(x) == 1 != size:
            axes.append((x, -1, np.array([size + position])))
        else:
            axes.append((x, -1, np.arange(size)))
    return Ties(axes=axes)


def same_last_axis(operator: Operator, view: View) -> Ties:
    """The first input and the output have the same channels; further inputs say nothing of them."""
    x, y = given(operator, 0), made(operator)
    if activation(operator) not in _MOVES_NOTHING:
        raise Unclear
    return Ties(axes=_alike(x, y))


def pad(operator: Operator, view: View) -> Ties:
    """PAD, PADV2 and MIRROR_PAD, of other axes than the last."""
    if view.integers(given(operator, 1))[-2:] != [0, 0]:
        raise Unclear
    return Ties(axes=_alike(given(operator, 0), made(operator)))


def reduce(operator: Operator, view: View) -> Ties:
    """MEAN, SUM and others over axes that are not the last."""
    x, y = given(operator, 0), made(operator)
    rank = len(x.shape)
    if any(whole_axis(axis, rank) == rank - 1 for axis in view.integers(given(operator, 1))):
        raise Unclear
    lanes = (
        [Lanes(axis=(y, len(y.shape) - 1), width=_MEAN_LANES)]
        if operator.name == "MEAN" and y.type_name != "FLOAT32"
        else []
    )
    return Ties(axes=_alike(x, y), lanes=lanes)


def concatenate(operator: Operator, view: View) -> Ties:
    """Along the last axis the channels stand one input behind the other; along another they are the same."""
    y, inputs = made(operator), [given(operator, i) for i in range(len(operator.inputs))]
    if activation(operator) not in _MOVES_NOTHING:
        raise Unclear
    axis = whole_axis(options(operator, schema.ConcatenationOptionsT).axis, len(y.shape))
    numbers, axes, at = np.arange(length(y)), [], 0
    for x in inputs:
        if len(x.shape) != len(y.shape):
            raise Unclear
        if axis == len(y.shape) - 1:
            axes.append((x, -1, numbers[at : at + length(x)]))
            at += length(x)
        else:
            axes.append((x, -1, numbers))
            at = len(numbers)
    if at != len(numbers):
        raise Unclear
    return Ties(axes=[*axes, (y, -1, numbers)])


def split(operator: Operator, view: View) -> Ties:
    """SPLIT and SPLIT_V along another axis than the last."""
    x, axis = (given(operator, i) for i in ((1, 0) if operator.name == "SPLIT" else (0, 2)))
    (along,) = view.integers(axis) or [-1]
    if whole_axis(along, len(x.shape)) == len(x.shape) - 1:
        raise Unclear
    numbers = np.arange(length(x))
    return Ties(axes=[(t, -1, numbers) for t in (x, *(made(operator, i) for i in range(len(operator.outputs))))])


def transpose(operator: Operator, view: View) -> Ties:
    """Of other axes than the last."""
    order, rank = view.integers(given(operator, 1)), len(given(operator, 0).shape)
    if sorted(order) != list(range(rank)) or order[-1:] != [rank - 1]:
        raise Unclear
    return Ties(axes=_alike(given(operator, 0), made(operator)))


def take_slice(operator: Operator, view: View) -> Ties:
    """SLICE that takes the whole last axis."""
    x, y = given(operator, 0), made(operator)
    begin, size = (view.integers(given(operator, i)) for i in (1, 2))
    last = len(x.shape) - 1
    if len(begin) != len(x.shape) or len(size) != len(begin) or begin[-1] != 0 or size[-1] not in (-1, length(x)):
        raise Unclear
    return Ties(axes=_alike(x, y), lengths=[Length(operator=operator, position=2, index=last, axis=(y, last))])


def reshape(operator: Operator, view: View) -> Ties:
    """The shorter last axis stands in the longer one several times, one behind the other.

    Row-major order makes it so: element n is in column n % length of either, whatever the other axes are.
    """
    x, y = given(operator, 0), made(operator)
    ties = reinterpret(operator, view)
    if len(operator.inputs) < 2:
        return ties
    shape, last = given(operator, 1), len(y.shape) - 1
    if shape not in view.maker:
        wanted = view.integers(shape)
        if len(wanted) != len(y.shape) or wanted[-1] not in (-1, length(y)):
            raise Unclear
        size = Length(operator=operator, position=1, index=last, axis=(y, last))
        return Ties(axes=ties.axes, lengths=[size])
    pack = view.maker[shape]
    if pack.name != "PACK" or len(pack.inputs) != len(y.shape) or length(x) == length(y) == 1:
        raise Unclear
    if view.integers(given(pack, last)) not in ([-1], [length(y)]):
        raise Unclear
    if len(view.readers[shape]) != 1 or view.occurrences[shape] != 2:
        raise Unclear
    return Ties(axes=ties.axes, lengths=[Length(operator=pack, position=last, index=0, axis=(y, last))])


def reinterpret(operator: Operator, view: View) -> Ties:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: the same elements in the same order."""
    x, y = given(operator, 0), made(operator)
    short, long = sorted((length(x), length(y)))
    if long % short:
        raise Unclear
    numbers = np.arange(long) % short
    return Ties(axes=[(t, -1, numbers[: length(t)]) for t in (x, y)])


def read_shape(operator: Operator, view: View) -> Ties:
    """SHAPE, of which everybody takes other elements than the last."""
    x, shape = given(operator, 0), made(operator)
    if view.occurrences[shape] != 1 + len(view.readers.get(shape, [])):
        raise Unclear
    for reader in view.readers.get(shape, []):
        o = options(reader, schema.StridedSliceOptionsT)
        begin, end, stride = (view.integers(given(reader, i)) for i in (1, 2, 3))
        if o.beginMask or o.endMask or o.ellipsisMask or o.newAxisMask or getattr(o, "offset", False):
            raise Unclear
        if not (len(begin) == len(end) == len(stride) == 1) or stride != [1]:
            raise Unclear
        if not 0 <= begin[0] < end[0] <= len(x.shape) - 1:
            raise Unclear
    return Ties(axes=[(x, -1, np.arange(length(x)))])


def _alike(x: Tensor, y: Tensor) -> list[tuple[Tensor, int, Numbers]]:
    if any(len(t.shape) - 1 in dynamic_axes(t) for t in (x, y)):
        raise Unclear
    numbers = np.arange(length(x))
    return [(x, -1, numbers), (y, -1, numbers)]
