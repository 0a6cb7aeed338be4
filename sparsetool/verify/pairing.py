"""Find out which constant of one model stands where which constant of another does.

Names may repeat, and two weights may have been swapped, so constants are paired by who reads them: the third
operator's second input here is the third operator's second input there. Operators that only unpack or convert, DENSIFY,
DEQUANTIZE, QUANTIZE and TFLM_DECODE, do not count, and are looked through:

    reference                          candidate
    x, w           -> CONV_2D          w/sparse -> DENSIFY -> DEQUANTIZE -> w
                                       x, w     -> CONV_2D                        w and w/sparse are a pair

Where the models have other operators than each other, constants are paired by name, if a name is theirs alone.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.model import Model, Operator, Subgraph, Tensor
from sparsetool_converters.model.decode_operator import DECODE, Decoded, decoded_constants
from sparsetool_converters.passes.densify import MAX_OUTPUT_BYTES
from sparsetool_converters.weights import use_of

PASSED_THROUGH = ("DENSIFY", "DEQUANTIZE", "QUANTIZE", DECODE)
_COPY = "_duplicated"  # what litert-quantizer adds to the name of a constant that it stores twice


@dataclass(frozen=True, kw_only=True, eq=False)
class Constant:
    """A constant, however it is stored.

    Attributes:
        name: its name in the file.
        op: an operator that uses it as a weight; empty for any other constant.
        tensor: the tensor that says its shape, type and quantization.
        decoded: what TFLM_DECODE makes it from, if it does.
    """

    name: str
    op: str
    tensor: Tensor
    decoded: Decoded | None = None

    def array(self) -> npt.NDArray[Any]:
        """The dense stored values.

        Raises:
            ModelFormatError, EncodingError: it cannot be decoded.
        """
        return self.decoded.array() if self.decoded else self.tensor.array(max_elements=MAX_OUTPUT_BYTES)

    @property
    def is_sparse(self) -> bool:
        return self.decoded is not None or self.tensor.is_sparse

    @property
    def stored_bytes(self) -> int:
        """What it takes in the file, index vectors included."""
        if self.decoded is not None:
            return self.decoded.stored_bytes
        try:
            index_bytes = self.tensor.encoded().index_bytes if self.tensor.is_sparse else 0
        except SparseToolError:
            index_bytes = 0  # they cannot be read
        return self.tensor.buffer.nbytes + index_bytes


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """The constants of two models.

    Attributes:
        pairs: (reference's, candidate's), each pair once; None where the other has none.
        aligned: whether the operators are the same, so that constants are paired by who reads them.
    """

    pairs: tuple[tuple[Constant | None, Constant | None], ...]
    aligned: bool


def core_operators(graph: Subgraph) -> list[Operator]:
    """The operators that compute: all but those that only unpack or convert."""
    return [operator for operator in graph.operators if operator.name not in PASSED_THROUGH]


def are_aligned(reference: Model, candidate: Model) -> bool:
    """Whether both models have the same operators in the same order, whatever unpacks and converts in between."""
    if len(reference.subgraphs) != len(candidate.subgraphs):
        return False
    both = zip(reference.subgraphs, candidate.subgraphs, strict=True)
    return all([o.name for o in core_operators(a)] == [o.name for o in core_operators(b)] for a, b in both)


def pair_constants(reference: Model, candidate: Model) -> Pairing:
    """Pair the constants of two models; those that no operator reads are left out."""
    if are_aligned(reference, candidate):
        return Pairing(pairs=tuple(_by_reader(reference, candidate)), aligned=True)
    return Pairing(pairs=tuple(_by_name(reference, candidate)), aligned=False)


def constants_of(model: Model) -> list[Constant]:
    """Every constant that an operator reads, once."""
    found: dict[Tensor, Constant] = {}
    for graph in model.subgraphs:
        view = _Origins(graph)
        for operator in core_operators(graph):
            for position in range(len(operator.inputs)):
                constant = view.constant(operator, position)
                if constant is not None and (constant.tensor not in found or not found[constant.tensor].op):
                    found[constant.tensor] = constant
    return list(found.values())


def _by_reader(reference: Model, candidate: Model) -> Iterator[tuple[Constant | None, Constant | None]]:
    seen: set[tuple[int, int]] = set()
    for graph, other in zip(reference.subgraphs, candidate.subgraphs, strict=True):
        views = _Origins(graph), _Origins(other)
        for pair in zip(core_operators(graph), core_operators(other), strict=True):
            for position in range(max(len(operator.inputs) for operator in pair)):
                one, two = (view.constant(operator, position) for view, operator in zip(views, pair, strict=True))
                key = id(one and one.tensor), id(two and two.tensor)
                if (one is not None or two is not None) and key not in seen:
                    seen.add(key)
                    yield one, two


def _by_name(reference: Model, candidate: Model) -> Iterator[tuple[Constant | None, Constant | None]]:
    ours, theirs = constants_of(reference), constants_of(candidate)
    known = {name: constant for constant in theirs if (name := constant.name.removesuffix(_COPY))}
    repeated = {name for constants in (ours, theirs) for name in _repeated(constants)}
    for constant in ours:
        if constant.name not in repeated:
            yield constant, known.get(constant.name)


def _repeated(constants: Sequence[Constant]) -> list[str]:
    return [name for name, count in Counter(c.name for c in constants).items() if count > 1]


class _Origins:
    """What the inputs of a subgraph's operators are made from."""

    def __init__(self, graph: Subgraph) -> None:
        self._producers = graph.producers()

    def constant(self, operator: Operator, position: int) -> Constant | None:
        """The constant that comes in at this input, by way of whatever unpacks or converts it."""
        tensor = operator.inputs[position] if position < len(operator.inputs) else None
        if tensor is None:
            return None
        dequantized = False
        seen = set()
        while (producer := self._producers.get(tensor)) is not None and producer.name in PASSED_THROUGH:
            if producer.name == DECODE:
                made = {decoded.output: decoded for decoded in decoded_constants(producer)}.get(tensor)
                return None if made is None else self._named(tensor, operator, position, dequantized, made)
            source = producer.inputs[0] if producer.inputs else None
            if source is None or source in seen:
                return None
            seen.add(source)
            dequantized |= producer.name == "DEQUANTIZE"
            tensor = source
        if producer is not None or not tensor.is_constant:
            return None
        return self._named(tensor, operator, position, dequantized)

    def _named(
        self, tensor: Tensor, operator: Operator, position: int, dequantized: bool, decoded: Decoded | None = None
    ) -> Constant:
        is_weight = use_of(tensor, operator, position, dequantized=dequantized) is not None
        return Constant(name=tensor.name, op=operator.name if is_weight else "", tensor=tensor, decoded=decoded)


def real_values(constant: Constant, array: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
    """What the stored values stand for, in the constant's shape; None for scales that are blockwise or do not fit."""
    steps = scale_of_each(constant.tensor)
    if steps is None:
        return None if constant.tensor.scales is not None or constant.tensor.block_scales else array.astype(np.float64)
    scale, zero_point = steps
    return (array.astype(np.float64) - zero_point) * scale


def scale_of_each(tensor: Tensor) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]] | None:
    """Scale and zero point, each broadcasting to the tensor's shape; None where it is not quantized so."""
    scales = tensor.scales
    if scales is None or tensor.block_scales is not None or tensor.type_name.startswith("FLOAT"):
        return None
    parameters = tensor.quantization
    points = parameters.zeroPoint
    zero_points = np.zeros(1, np.int64) if points is None or not len(points) else np.asarray(points, np.int64)
    if zero_points.size not in (1, scales.size):
        return None
    zero_points = np.broadcast_to(zero_points, scales.shape)
    if scales.size == 1:
        return scales.astype(np.float64).reshape(()), zero_points.reshape(())
    axis = int(parameters.quantizedDimension)
    if axis >= len(tensor.shape) or tensor.shape[axis] != scales.size:
        return None
    shape = [scales.size if i == axis else 1 for i in range(len(tensor.shape))]
    return scales.astype(np.float64).reshape(shape), zero_points.reshape(shape)
