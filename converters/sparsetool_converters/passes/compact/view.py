"""A model as the rules of compaction look at it: who makes and reads what, lengths, options and constants.

Rules cover what well-formed models do. Whatever a rule does not expect is `Unclear`, and what is unclear stays.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.model import Buffer, Model, Operator, Tensor
from sparsetool_converters.model.tensors import MAX_RANK

Array = npt.NDArray[Any]
Options = TypeVar("Options")

_MAX_LENGTH = 2**18  # a damaged file may declare any
_READABLE = ("FLOAT32", "FLOAT16", "INT8", "UINT8", "INT16", "INT32", "INT64")


class Unclear(Exception):  # noqa: N818  no failure: the rule does not cover this operator, whose tensors keep their shapes
    """The rule does not cover this operator as it stands."""


@dataclass(frozen=True, eq=False)
class Constant:
    """Constant values as an operator sees them.

    Attributes:
        stored: the tensor whose payload they are.
        values: as stored: float, or integers.
        scale: real value of one step, one or one for each slice along `axis`; None for plain numbers.
        zero_point: the stored value of 0.0, broadcast like `scale`.
        axis: along which scales differ.
        dequantized: whether a DEQUANTIZE stands between them and the operator.
    """

    stored: Tensor
    values: Array
    scale: npt.NDArray[np.float32] | None
    zero_point: npt.NDArray[np.int64]
    axis: int
    dequantized: bool

    def along_axis(self, parameter: Array) -> Array:
        """Scales or zero points in a shape that broadcasts over `values`."""
        if parameter.size == 1:
            return parameter.reshape(())
        return parameter.reshape([-1 if i == self.axis else 1 for i in range(self.values.ndim)])

    def steps(self) -> Array:
        """The values above the zero point, int64; plain floats as they are."""
        if self.values.dtype.kind == "f":
            return self.values
        return self.values.astype(np.int64) - self.along_axis(self.zero_point)

    def real(self) -> npt.NDArray[np.float32]:
        """What a float kernel computes with."""
        if self.scale is None or self.values.dtype.kind == "f":
            return self.values.astype(np.float32)
        steps = self.steps().astype(np.float32)
        return np.asarray(steps * self.along_axis(self.scale), np.float32)


class View:
    """What is looked up about a model while its operators are gone through; true until the model is edited."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.operators: list[Operator] = [op for _, op in model.operators()]
        self.readers: dict[Tensor, list[Operator]] = {}
        makers: dict[Tensor, list[Operator]] = {}
        # How often operators name each tensor, and once more whatever must not change for other reasons.
        self.fixed = _fixed(model)
        self.occurrences: Counter[Tensor] = Counter(self.fixed)
        for operator in self.operators:
            for tensor in filter(None, operator.inputs):
                self.readers.setdefault(tensor, []).append(operator)
            for tensor in filter(None, operator.outputs):
                makers.setdefault(tensor, []).append(operator)
            self.occurrences.update(filter(None, [*operator.inputs, *operator.outputs, *operator.intermediates]))
        self.occurrences.update(t for t, by in makers.items() if len(by) > 1 or t.is_constant)
        self.maker = {tensor: by[0] for tensor, by in makers.items() if len(by) == 1}
        self._constants: dict[Tensor, Constant] = {}

    def constant(self, tensor: Tensor) -> Constant:
        """The constant that an operator sees in `tensor`, stored there or before a DEQUANTIZE; else Unclear."""
        if tensor not in self._constants:
            self._constants[tensor] = self._read(tensor)
        return self._constants[tensor]

    def _read(self, tensor: Tensor) -> Constant:
        stored, maker = tensor, self.maker.get(tensor)
        if maker is not None:
            if maker.name != "DEQUANTIZE" or tensor.type_name != "FLOAT32":
                raise Unclear
            stored = given(maker, 0)
        if stored.shape != tensor.shape or not is_plain_constant(stored) or stored in self.maker:
            raise Unclear
        if stored in self.fixed or tensor in self.fixed:
            raise Unclear
        try:
            values = stored.array()
        except SparseToolError:
            raise Unclear from None
        scale, zero_point, axis = _quantization(stored)
        return Constant(stored, values, scale, zero_point, axis, stored is not tensor)

    def integers(self, tensor: Tensor) -> list[int]:
        """The elements of a short constant of whole numbers, such as a shape."""
        if tensor in self.maker or tensor.type_name not in ("INT32", "INT64"):
            raise Unclear
        values = self.constant(tensor).values
        if values.size > MAX_RANK:
            raise Unclear
        return [int(value) for value in values.reshape(-1)]


def is_plain_constant(tensor: Tensor) -> bool:
    """Whether the tensor holds dense values of a type that can be cut: whole bytes, one way of quantization."""
    if tensor.is_sparse or tensor.type_name not in _READABLE or tensor.buffer.nbytes == 0:
        return False
    parameters = tensor.quantization
    return parameters is None or parameters.details is None


def _quantization(tensor: Tensor) -> tuple[npt.NDArray[np.float32] | None, npt.NDArray[np.int64], int]:
    scale, parameters = tensor.scales, tensor.quantization
    nothing = np.zeros(1, np.int64)
    if scale is None:
        return None, nothing, 0
    axis = int(parameters.quantizedDimension)
    zero_point = parameters.zeroPoint
    zeros = nothing if zero_point is None or len(zero_point) == 0 else np.asarray(zero_point, np.int64)
    if len(scale) > 1 and not (0 <= axis < len(tensor.shape) and tensor.shape[axis] == len(scale)):
        raise Unclear
    if len(zeros) not in (1, len(scale)):
        raise Unclear
    return scale, zeros, axis


def _fixed(model: Model) -> set[Tensor]:
    """The tensors that somebody besides operators looks at."""
    found = set(model.interface())
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.fields.isVariable:
                found.add(tensor)
            found.update(t for t in (tensor.block_scales, tensor.block_zero_points) if t is not None)
    return found


def given(operator: Operator, position: int) -> Tensor:
    """An input that must be there."""
    tensor = optional(operator, position)
    if tensor is None:
        raise Unclear
    return tensor


def optional(operator: Operator, position: int) -> Tensor | None:
    """An input that may be left out."""
    return operator.inputs[position] if position < len(operator.inputs) else None


def made(operator: Operator, position: int = 0) -> Tensor:
    """An output that must be there."""
    tensor = operator.outputs[position] if position < len(operator.outputs) else None
    if tensor is None:
        raise Unclear
    return tensor


def options(operator: Operator, kind: type[Options]) -> Options:
    """The operator's options, which must be of this kind."""
    found = operator.fields.builtinOptions
    if not isinstance(found, kind):
        raise Unclear
    return found


def activation(operator: Operator) -> int:
    """The fused activation, a value of the schema's ActivationFunctionType; NONE where the options have none."""
    return int(getattr(operator.fields.builtinOptions, "fusedActivationFunction", 0))


def length(tensor: Tensor, axis: int = -1) -> int:
    """Positions along an axis, which must be known, fixed, and not out of all proportion."""
    shape = tensor.shape
    if (
        not shape
        or len(shape) > MAX_RANK
        or not -len(shape) <= axis < len(shape)
        or not 1 <= shape[axis] <= _MAX_LENGTH
    ):
        raise Unclear
    if axis % len(shape) in dynamic_axes(tensor):
        raise Unclear
    return shape[axis]


def dynamic_axes(tensor: Tensor) -> Sequence[int]:
    """The axes, from 0, whose length the file leaves open."""
    signature = tensor.fields.shapeSignature
    if signature is None or len(signature) == 0:
        return ()
    if len(signature) != len(tensor.shape) or len(signature) > MAX_RANK:
        raise Unclear
    return [axis for axis, size in enumerate(signature) if size == -1]


def is_scalar(tensor: Tensor) -> bool:
    """Whether a constant of one element, of any rank, can stand beside any operand."""
    return tensor.is_constant and math.prod(tensor.shape[:MAX_RANK]) == 1


def whole_axis(axis: int, rank: int) -> int:
    """An axis counted from 0."""
    if not -rank <= axis < rank:
        raise Unclear
    return axis % rank


def same_quantization(one: Tensor, other: Tensor) -> bool:
    """Whether stored values mean the same in both."""
    if one.type != other.type:
        return False
    return one.type_name == "FLOAT32" or one.info().quantization == other.info().quantization


def large_shared_buffers(model: Model, least_bytes: int) -> list[tuple[Buffer, list[Tensor]]]:
    """Payloads of at least so many bytes that several tensors hold."""
    return [(b, holders) for b, holders in model.users().items() if len(holders) > 1 and b.nbytes >= least_bytes]
