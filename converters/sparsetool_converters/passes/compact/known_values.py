"""Which channels hold the same number at every place whatever the model's input is, and which number.

Numbers are as stored: real in float tensors, steps in integer ones. A number counts as known only where all kernels
give it, to the bit for integers. Zero is known more often than others: most operators keep it, and padding adds none
but zeros. An input that is infinite or no number is not thought of.
"""

from collections.abc import Callable

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Operator, Tensor
from sparsetool_converters.passes.compact.requantize import (
    Known,
    clipped,
    float_activation,
    is_quantized,
    nearest,
    scale_of,
    settled,
    zero_of,
)
from sparsetool_converters.passes.compact.view import (
    Unclear,
    View,
    activation,
    given,
    is_scalar,
    length,
    made,
    options,
    same_quantization,
    whole_axis,
)

_MOST_ELEMENTS = 2**20  # of a constant operand that is looked at


class Values:
    """Known values by tensor, found in the order of execution."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._found: dict[Tensor, Known] = {}

    def of(self, tensor: Tensor) -> Known:
        """One number for each position of the last axis, NaN where none is known."""
        if tensor in self._found:
            return self._found[tensor]
        size = length(tensor)
        if tensor.is_constant and tensor not in self.view.maker:
            return self._constant(tensor, size)
        return np.full(size, np.nan)

    def _constant(self, tensor: Tensor, size: int) -> Known:
        values = self.view.constant(tensor).values
        if values.size > _MOST_ELEMENTS:
            return np.full(size, np.nan)
        rows = values.reshape(-1, size).astype(np.float64)
        same = (rows == rows[0]).all(axis=0) & np.isfinite(rows[0])
        return np.where(same, rows[0], np.nan)

    def set(self, tensor: Tensor, values: Known) -> None:
        """Note what is known of an output, if it has as many channels as said."""
        if tensor in self.view.maker and len(values) == length(tensor):
            self._found[tensor] = np.where(np.isfinite(values), values, np.nan)


Rule = Callable[[Operator, Values], Known]


def zeros(operator: Operator, values: Values, *, all_inputs: bool = True) -> Known:
    """Zero where all operands are, or where any is."""
    y, known = made(operator), []
    for position in range(len(operator.inputs)):
        x = given(operator, position)
        if is_scalar(x) and not x.shape:
            operand = values.view.constant(x).values.reshape(1).astype(np.float64)
        else:
            operand = values.of(x)
        known.append(np.broadcast_to(operand == zero_of(x), length(y)))
    found = np.all(known, axis=0) if all_inputs else np.any(known, axis=0)
    return np.where(found, zero_of(y), np.nan)


def product(operator: Operator, values: Values) -> Known:
    """MUL: zero times anything, or in float the product."""
    zero = zeros(operator, values, all_inputs=False)
    if made(operator).type_name != "FLOAT32":
        return zero
    return np.where(np.isnan(zero), _binary(np.multiply)(operator, values), zero)


def _binary(act: Callable[..., np.ndarray], *, rescales: bool = True) -> Rule:
    """An elementwise operator of two operands, in float32; of integers, only zeros."""

    def rule(operator: Operator, values: Values) -> Known:
        y = made(operator)
        if y.type_name != "FLOAT32":
            if not rescales and not all(same_quantization(given(operator, i), y) for i in range(2)):
                raise Unclear
            return zeros(operator, values)
        operands = []
        for position in range(2):
            x = given(operator, position)
            known = values.view.constant(x).values.reshape(1) if is_scalar(x) and not x.shape else values.of(x)
            operands.append(np.broadcast_to(known.astype(np.float32), length(y)))
        return float_activation(act(*operands).astype(np.float64), activation(operator))

    return rule


def _unary(act: Callable[[np.ndarray], np.ndarray], *, keeps_zero: bool) -> Rule:
    """An elementwise operator of one operand, in float32; of integers, zero if it stays zero."""

    def rule(operator: Operator, values: Values) -> Known:
        x, y = given(operator, 0), made(operator)
        if x.type_name == y.type_name == "FLOAT32":
            return act(values.of(x).astype(np.float32)).astype(np.float64)
        if not keeps_zero:
            raise Unclear
        return np.where(values.of(x) == zero_of(x), zero_of(y), np.nan)

    return rule


def relu(operator: Operator, values: Values) -> Known:
    """What is not positive becomes zero."""
    x, y = given(operator, 0), made(operator)
    known = values.of(x)
    if x.type_name == "FLOAT32":
        return np.where(known <= 0, 0.0, known)
    return np.where(known <= zero_of(x), zero_of(y), np.nan)


def leaky_relu(operator: Operator, values: Values) -> Known:
    slope = np.float32(options(operator, schema.LeakyReluOptionsT).alpha)
    return _unary(lambda v: np.where(v < 0, v * slope, v), keeps_zero=True)(operator, values)


def prelu(operator: Operator, values: Values) -> Known:
    """x where it is positive, alpha * x elsewhere: zero stays zero."""
    x, y = given(operator, 0), made(operator)
    known = values.of(x)
    zero = np.where(known == zero_of(x), zero_of(y), np.nan)
    if y.type_name != "FLOAT32":
        return zero
    alpha = np.broadcast_to(values.of(given(operator, 1)), known.shape)
    return np.where(known > 0, known, np.where(known == 0, 0.0, known * alpha))


def copy(operator: Operator, values: Values) -> Known:
    """Every output is one of the inputs, or a mean of some."""
    return _moved(given(operator, 0), made(operator), values.of(given(operator, 0)))


def pool(operator: Operator, values: Values) -> Known:
    """MAX_POOL_2D and AVERAGE_POOL_2D, neither of which counts padding."""
    y, known = made(operator), copy(operator, values)
    if y.type_name == "FLOAT32":
        return float_activation(known, activation(operator))
    return clipped(known, y, activation(operator))


def keep_zero(operator: Operator, values: Values) -> Known:
    """A sum, or a mean that integer kernels round in different ways."""
    x, y = given(operator, 0), made(operator)
    return np.where(values.of(x) == zero_of(x), zero_of(y), np.nan)


def mean(operator: Operator, values: Values) -> Known:
    if len(values.view.integers(given(operator, 1))) >= len(given(operator, 0).shape):
        raise Unclear
    if made(operator).type_name != "FLOAT32":
        return keep_zero(operator, values)
    return copy(operator, values)


def pad(operator: Operator, values: Values) -> Known:
    """PAD puts zeros beside; a channel of zeros stays one."""
    x = given(operator, 0)
    if not any(values.view.integers(given(operator, 1))):
        return copy(operator, values)
    if not same_quantization(x, made(operator)):
        raise Unclear
    return keep_zero(operator, values)


def reinterpret(operator: Operator, values: Values) -> Known:
    """RESHAPE and its kin: known where all positions that fall together agree."""
    x, y = given(operator, 0), made(operator)
    known, size = _moved(x, y, values.of(x)), length(y)
    if size % len(known) == 0:
        return np.tile(known, size // len(known))
    if len(known) % size:
        raise Unclear
    rows = known.reshape(-1, size)
    return np.where((rows == rows[0]).all(axis=0), rows[0], np.nan)


def concatenate(operator: Operator, values: Values) -> Known:
    y = made(operator)
    parts = [_moved(x, y, values.of(x)) for x in (given(operator, i) for i in range(len(operator.inputs)))]
    if whole_axis(options(operator, schema.ConcatenationOptionsT).axis, len(y.shape)) == len(y.shape) - 1:
        known = np.concatenate(parts)
    else:
        known = np.where(np.all([p == parts[0] for p in parts], axis=0), parts[0], np.nan)
    return float_activation(known, activation(operator)) if y.type_name == "FLOAT32" else known


def dequantize(operator: Operator, values: Values) -> Known:
    x = given(operator, 0)
    if x in values.view.maker and is_quantized(x):
        steps = (values.of(x) - zero_of(x)).astype(np.float32)
        return (steps * np.float32(scale_of(x))).astype(np.float64)
    return np.full(length(made(operator)), np.nan)


def quantize(operator: Operator, values: Values) -> Known:
    x, y = given(operator, 0), made(operator)
    known = values.of(x)
    zero = np.where(known == zero_of(x), zero_of(y), np.nan)
    if x.type_name == "FLOAT32":
        return np.where(np.isnan(zero), nearest(known, y), zero)
    factor = np.full(known.shape, scale_of(x) / scale_of(y))
    return np.where(np.isnan(zero), settled(known - zero_of(x), factor, y, 0), zero)


def _moved(x: Tensor, y: Tensor, known: Known) -> Known:
    """What is known, in the steps of another tensor: all of it if they are the same, else zeros."""
    if same_quantization(x, y):
        return known
    return np.where(known == zero_of(x), zero_of(y), np.nan)


def _hard_swish(v: np.ndarray) -> np.ndarray:
    return np.asarray(v * np.clip(v + np.float32(3), 0, 6) / np.float32(6))


def _logistic(v: np.ndarray) -> np.ndarray:
    return np.asarray(np.float32(1) / (np.float32(1) + np.exp(-v)))


ELEMENT_RULES: dict[str, Rule] = {
    "ABS": _unary(np.abs, keeps_zero=False),
    "ADD": _binary(np.add),
    "AVERAGE_POOL_2D": pool,
    "BATCH_TO_SPACE_ND": copy,
    "CONCATENATION": concatenate,
    "DEQUANTIZE": dequantize,
    "ELU": _unary(lambda v: np.where(v < 0, np.expm1(v), v), keeps_zero=False),
    "EXPAND_DIMS": reinterpret,
    "HARD_SWISH": _unary(_hard_swish, keeps_zero=True),
    "LEAKY_RELU": leaky_relu,
    "LOGISTIC": _unary(_logistic, keeps_zero=False),
    "MAXIMUM": _binary(np.maximum, rescales=False),
    "MAX_POOL_2D": pool,
    "MEAN": mean,
    "MINIMUM": _binary(np.minimum, rescales=False),
    "MIRROR_PAD": copy,
    "MUL": product,
    "NEG": _unary(np.negative, keeps_zero=False),
    "PAD": pad,
    "PRELU": prelu,
    "QUANTIZE": quantize,
    "REDUCE_MAX": copy,
    "REDUCE_MIN": copy,
    "RELU": relu,
    "RELU6": _unary(lambda v: np.clip(v, 0, 6), keeps_zero=True),
    "RELU_N1_TO_1": _unary(lambda v: np.clip(v, -1, 1), keeps_zero=True),
    "RESHAPE": reinterpret,
    "RESIZE_BILINEAR": copy,
    "RESIZE_NEAREST_NEIGHBOR": copy,
    "SLICE": copy,
    "SPACE_TO_BATCH_ND": keep_zero,
    "SQUARE": _unary(np.square, keeps_zero=False),
    "SQUEEZE": reinterpret,
    "SUB": _binary(np.subtract),
    "SUM": keep_zero,
    "TANH": _unary(np.tanh, keeps_zero=True),
    "TRANSPOSE": copy,
}
