"""What a layer with weights gives where it does not depend on what it reads."""

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.model import Buffer, Operator, Tensor
from sparsetool_converters.passes.compact.known_values import ELEMENT_RULES, Values
from sparsetool_converters.passes.compact.requantize import (
    Known,
    float_activation,
    is_quantized,
    scale_of,
    settled,
    zero_of,
)
from sparsetool_converters.passes.compact.ties import Contraction
from sparsetool_converters.passes.compact.view import (
    Constant,
    Unclear,
    View,
    activation,
    given,
    length,
    made,
    optional,
)

Presence = npt.NDArray[np.bool_]


class Arithmetic(Enum):
    """How a layer computes: FLOAT; INTEGER; HYBRID, which quantizes each row of its float input as it finds it."""

    FLOAT = auto()
    INTEGER = auto()
    HYBRID = auto()


class Weights:
    """Where weights are not zero, kept from one look at the model to the next by their payload."""

    def __init__(self) -> None:
        self._present: dict[tuple[Buffer, tuple[int, ...]], Presence] = {}

    def present(self, constant: Constant) -> Presence:
        """Bool [outputs, inputs]: whether any of a filter's weights for an input is not zero."""
        key = (constant.stored.buffer, constant.stored.shape)
        if constant.zero_point.any() or key not in self._present:
            found = constant.values != 0
            if constant.zero_point.any():
                found = constant.values != constant.along_axis(constant.zero_point)
            outputs, inputs = found.shape[0], found.shape[-1]
            found = found.reshape(outputs, -1, inputs)
            self._present[key] = found[:, 0] if found.shape[1] == 1 else found.any(axis=1)
        return self._present[key]


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A contraction with what is known of its input.

    Attributes:
        contraction: the operator.
        weight: its weight.
        arithmetic: how it computes.
        known: for each of the weight's columns, the known value of the channel above zero; NaN if not known.
        present: bool [outputs, inputs], where weights are not zero.
    """

    contraction: Contraction
    weight: Constant
    arithmetic: Arithmetic
    known: Known
    present: Presence

    @property
    def constant_columns(self) -> npt.NDArray[np.bool_]:
        """For each column, whether it adds the same number to each output at every place."""
        if self.arithmetic is Arithmetic.HYBRID or self.contraction.mixes_padding:
            return np.asarray(self.known == 0)
        return np.isfinite(self.known)

    def added(self, columns: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """What these columns, all of them constant, add to each output's sum: float64, exact for integers."""
        chosen = np.flatnonzero(columns & np.isfinite(self.known) & (self.known != 0))
        total = np.zeros(self.present.shape[0])
        if len(chosen) == 0:
            return total
        some = np.take(self.weight.values, chosen, axis=-1)
        part = Constant(
            self.weight.stored,
            some,
            self.weight.scale,
            self.weight.zero_point,
            self.weight.axis,
            self.weight.dequantized,
        )
        numbers = part.real() if self.arithmetic is Arithmetic.FLOAT else part.steps()
        sums = numbers.reshape(len(total), -1, len(chosen)).sum(axis=1, dtype=np.float64)
        return np.asarray(sums @ self.known[chosen])


def arithmetic_of(x: Tensor, y: Tensor, weight: Constant) -> Arithmetic:
    """How an operator with this input, output and weight computes."""
    if x.type_name == y.type_name == "FLOAT32":
        is_real = weight.dequantized or weight.values.dtype.kind == "f"
        return Arithmetic.FLOAT if is_real else Arithmetic.HYBRID
    if is_quantized(x) and is_quantized(y) and x.type == y.type and not weight.dequantized and weight.scale is not None:
        return Arithmetic.INTEGER
    raise Unclear


def find_values(view: View, weights: Weights, contractions: list[Contraction]) -> tuple[Values, list[Layer]]:
    """Known values of all tensors, and each contraction with those of its input."""
    values, layers = Values(view), []
    by_operator = {c.operator: c for c in contractions}
    for operator in view.operators:
        try:
            if operator in by_operator:
                layer = _layer(by_operator[operator], view, weights, values)
                layers.append(layer)
                values.set(made(operator), _output(layer, view))
            elif operator.name == "DEPTHWISE_CONV_2D":
                values.set(made(operator), _depthwise(operator, view, values))
            elif operator.name in ELEMENT_RULES:
                values.set(made(operator), ELEMENT_RULES[operator.name](operator, values))
        except (Unclear, SparseToolError, ValueError):
            # ValueError: shapes that do not broadcast, in a file that no runtime accepts
            continue
    return values, layers


def _layer(contraction: Contraction, view: View, weights: Weights, values: Values) -> Layer:
    weight = view.constant(contraction.weight)
    x = contraction.x
    known = values.of(x) - zero_of(x)
    present = weights.present(weight)
    return Layer(
        contraction=contraction,
        weight=weight,
        arithmetic=arithmetic_of(x, made(contraction.operator), weight),
        known=np.tile(known, present.shape[1] // len(known)),
        present=present,
    )


def _output(layer: Layer, view: View) -> Known:
    operator = layer.contraction.operator
    constant = layer.constant_columns
    rows = np.asarray(~layer.present[:, ~constant].any(axis=1))
    if not rows.any():
        return np.full(len(rows), np.nan)
    sums = layer.added(constant) + bias_of(operator, layer.contraction.bias_position, view, len(rows))
    return np.where(rows, _finished(operator, layer.contraction.x, layer.weight, layer.arithmetic, sums), np.nan)


def _depthwise(operator: Operator, view: View, values: Values) -> Known:
    """Each output depends on one channel: all zeros, or an input of zeros, leave its bias."""
    x, weight = given(operator, 0), view.constant(given(operator, 1))
    arithmetic = arithmetic_of(x, made(operator), weight)
    steps = weight.steps()
    known = values.of(x) - zero_of(x)
    if length(made(operator)) % len(known) or steps.shape[-1] != length(made(operator)):
        raise Unclear
    filters = steps.reshape(-1, steps.shape[-1])
    inputs = np.repeat(known, filters.shape[1] // len(known))
    constant = np.asarray((filters == 0).all(axis=0) | (inputs == 0))
    sums = bias_of(operator, 2, view, len(constant))
    return np.where(constant, _finished(operator, x, weight, arithmetic, sums), np.nan)


def bias_of(operator: Operator, position: int, view: View, outputs: int) -> npt.NDArray[np.float64]:
    """The numbers that are added to each output's sum."""
    bias = optional(operator, position)
    if bias is None:
        return np.zeros(outputs)
    constant = view.constant(bias)
    if constant.values.shape != (outputs,):
        raise Unclear
    values = constant.real() if bias.type_name == "FLOAT32" else constant.values
    return values.astype(np.float64)


def _finished(operator: Operator, x: Tensor, weight: Constant, arithmetic: Arithmetic, sums: Known) -> Known:
    """What the operator gives for these sums."""
    y, fused = made(operator), activation(operator)
    if arithmetic is not Arithmetic.INTEGER:
        return float_activation(sums.astype(np.float32).astype(np.float64), fused)
    if weight.scale is None or not (weight.scale > 0).all():
        raise Unclear
    return settled(sums, scale_of(x) * weight.scale.astype(np.float64) / scale_of(y) * np.ones(len(sums)), y, fused)
