"""Which rule says what an operator ties together. An operator without a rule keeps every channel that it names."""

from collections.abc import Callable

import numpy as np

from sparsetool_converters.model import Model, Operator
from sparsetool_converters.passes.compact import layer_ties as layers
from sparsetool_converters.passes.compact import shape_ties as shapes
from sparsetool_converters.passes.compact.ties import Axes, Ties
from sparsetool_converters.passes.compact.view import Unclear, View, given, large_shared_buffers, length, made

Rule = Callable[[Operator, View], Ties]

# Each works on every element by itself; operands broadcast.
_ELEMENTWISE = (
    *("ABS", "ADD", "ADD_N", "CAST", "CEIL", "COS", "DIV", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU"),
    *("LOG", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "NEG", "POW", "PRELU", "QUANTIZE", "RELU", "RELU6"),
    *("RELU_0_TO_1", "RELU_N1_TO_1", "ROUND", "RSQRT", "SIGN", "SIN", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "SUB"),
    "TANH",
)

# Each works on every channel by itself.
_BY_CHANNEL = (
    *("AVERAGE_POOL_2D", "BATCH_TO_SPACE_ND", "L2_POOL_2D", "MAX_POOL_2D", "RESIZE_BILINEAR"),
    *("RESIZE_NEAREST_NEIGHBOR", "SPACE_TO_BATCH_ND"),
)

RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, shapes.elementwise),
    **dict.fromkeys(_BY_CHANNEL, shapes.same_last_axis),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), shapes.pad),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"), shapes.reduce),
    **dict.fromkeys(("SPLIT", "SPLIT_V"), shapes.split),
    **dict.fromkeys(("EXPAND_DIMS", "SQUEEZE"), shapes.reinterpret),
    "CONCATENATION": shapes.concatenate,
    "CONV_2D": layers.conv_2d,
    "DEPTHWISE_CONV_2D": layers.depthwise_conv_2d,
    "FULLY_CONNECTED": layers.fully_connected,
    "RESHAPE": shapes.reshape,
    "SHAPE": shapes.read_shape,
    "SLICE": shapes.take_slice,
    "TRANSPOSE": shapes.transpose,
    "TRANSPOSE_CONV": layers.transpose_conv,
}

# Equal constants are often stored once; letting each be cut in its own way may store them twice. So little may it cost:
MOST_BYTES_STORED_AGAIN = 1024
# A file may declare any length of anything. Real ones have far fewer channels than bytes.
_POSITIONS_IN_ANY_CASE, _BYTES_PER_POSITION = 2**18, 8


def tied_axes(model: Model, view: View) -> Axes:
    """The axes of all tensors that rules know, tied together."""
    payload_bytes = sum(buffer.nbytes for buffer in model.buffers)
    axes = Axes(view, max_positions=_POSITIONS_IN_ANY_CASE + payload_bytes // _BYTES_PER_POSITION)
    for operator in reversed(view.operators):  # readers before makers: what they number, a DEQUANTIZE hands on
        try:
            axes.add(_dequantize(operator, axes) if operator.name == "DEQUANTIZE" else _ties(operator, view))
        except Unclear:
            continue
    for _, holders in large_shared_buffers(model, MOST_BYTES_STORED_AGAIN):
        axes.tie_alike(holders)
    return axes


def _ties(operator: Operator, view: View) -> Ties:
    rule = RULES.get(operator.name)
    if rule is None:
        raise Unclear
    return rule(operator, view)


def _dequantize(operator: Operator, axes: Axes) -> Ties:
    """Every axis that a reader knows, since weights are cut along several; of an activation, the last."""
    x, y = given(operator, 0), made(operator)
    if x.shape != y.shape:
        raise Unclear
    named, start = [], 0
    for axis in {*axes.of(y), len(y.shape) - 1}:
        numbers = start + np.arange(length(y, axis))
        named += [(x, axis, numbers), (y, axis, numbers)]
        start += len(numbers)
    return Ties(axes=named)
