"""Where the weights of a model lie in its file, and in which elements."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.codec.container import Range
from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.sparsity import DimensionFormat, EncodedTensor

SMALLEST_BYTES = 256  # of a tensor that may be worth a region


@dataclass(frozen=True, kw_only=True)
class DenseTensor:
    """A tensor stored dense.

    Attributes:
        payload: where it lies.
        element_bytes: 1, 2, 4 or 8.
        rows: rows of its elements, in memory.
    """

    payload: Range
    element_bytes: int
    rows: int

    @property
    def ranges(self) -> tuple[Range, ...]:
        return (self.payload,)


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseTensor:
    """A tensor stored sparse with one compressed level, whose indices ascend.

    Attributes:
        payload: where its values lie.
        indices: where its indices lie.
        segments: where its segments lie, without the first, which is 0.
        element_bytes: 1, 2, 4 or 8.
        unit: elements in a block, 1 if single elements are kept.
        rows: rows of the index.
        columns: units in a row of the index.
        outer_rows: number of slices along the outermost level; divides `rows`.
        bounds: the segments, int64, shape (rows + 1,).
        index_bytes: bytes of an index.
        segment_bytes: bytes of a segment.
    """

    payload: Range
    indices: Range
    segments: Range
    element_bytes: int
    unit: int
    rows: int
    columns: int
    outer_rows: int
    bounds: npt.NDArray[np.int64]
    index_bytes: int
    segment_bytes: int

    @property
    def ranges(self) -> tuple[Range, ...]:
        return (self.payload, self.indices, self.segments)


def find_tensors(data: bytes | bytearray | memoryview) -> list[DenseTensor | SparseTensor]:
    """Constants worth a look, in the order in which they lie in the file; no two share a byte.

    Nothing is found in bytes that are no model.
    """
    try:
        model = Model.from_bytes(data)
    except SparseToolError:
        return []
    base = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    found = [tensor for graph in model.subgraphs for t in graph.tensors if (tensor := _located(t, base, len(data)))]
    found.sort(key=lambda tensor: tensor.payload.start)
    taken: list[Range] = []
    return [tensor for tensor in found if _take(tensor, taken)]


def _take(tensor: DenseTensor | SparseTensor, taken: list[Range]) -> bool:
    """Whether its ranges are free; then they are taken. Ranges of indices are few, those of payloads come ascending."""
    for stretch in tensor.ranges:
        if any(stretch.start < other.end and other.start < stretch.end for other in taken):
            return False
    taken.extend(tensor.ranges)
    return True


def _located(tensor: Tensor, base: int, file_bytes: int) -> DenseTensor | SparseTensor | None:
    payload = tensor.buffer.data
    if payload is None or payload.nbytes < SMALLEST_BYTES:
        return None
    if tensor.packing is not None:
        element_bytes = 1
    elif tensor.element_dtype is not None:
        element_bytes = min(tensor.element_dtype.itemsize, 8)
    else:
        return None
    place = _range(payload, base)
    if place.end > file_bytes or place.length % element_bytes:
        return None
    if tensor.is_sparse:
        return _located_sparse(tensor, place, element_bytes, base)
    return DenseTensor(payload=place, element_bytes=element_bytes, rows=_rows(tensor.shape, place, element_bytes))


def _rows(shape: tuple[int, ...], place: Range, element_bytes: int) -> int:
    """Slices along the first dimension that is more than 1, as far as the payload agrees."""
    rows = next((size for size in shape if size > 1), 1)
    elements = place.length // element_bytes
    return rows if 1 < rows < elements and elements % rows == 0 else 1


def _range(array: npt.NDArray[Any], base: int) -> Range:
    return Range(start=int(array.__array_interface__["data"][0]) - base, length=int(array.nbytes))


def _located_sparse(tensor: Tensor, place: Range, element_bytes: int, base: int) -> SparseTensor | None:
    if tensor.packing is not None:
        return None
    try:
        encoded = tensor.checked_encoding()
    except SparseToolError:
        return None
    shape = _one_level(encoded)
    if shape is None:
        return None
    rows, columns, unit, segments, indices = shape
    bounds = segments.astype(np.int64)
    places = np.repeat(np.arange(rows, dtype=np.int64) * columns, np.diff(bounds)) + indices
    if not place.length or rows * columns > 2**31 - 1 or bool((places[1:] <= places[:-1]).any()):
        return None
    outer = encoded.block_format.level_sizes(encoded.shape)[0]
    return SparseTensor(
        payload=place,
        indices=_range(indices, base),
        segments=_range(segments[1:], base),
        element_bytes=element_bytes,
        unit=unit * (encoded.values.itemsize // element_bytes),
        rows=rows,
        columns=columns,
        outer_rows=outer if rows % outer == 0 else 1,
        bounds=bounds,
        index_bytes=indices.itemsize,
        segment_bytes=segments.itemsize,
    )


def _one_level(
    encoded: EncodedTensor,
) -> tuple[int, int, int, npt.NDArray[np.integer], npt.NDArray[np.integer]] | None:
    """Rows, columns, unit, segments and indices of an encoding with one compressed level, None for others."""
    sizes = encoded.block_format.level_sizes(encoded.shape)
    compressed = [n for n, level in enumerate(encoded.levels) if level.format is DimensionFormat.SPARSE_CSR]
    if len(compressed) != 1:
        return None
    (at,) = compressed
    level = encoded.levels[at]
    if level.segments is None or level.indices is None or not level.indices.size:
        return None
    unit = math.prod(sizes[at + 1 :])
    if unit > 2**16:
        return None
    return math.prod(sizes[:at]), sizes[at], unit, level.segments, level.indices
