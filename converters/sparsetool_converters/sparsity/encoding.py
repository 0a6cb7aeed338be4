"""From a dense array to its encoded form, and what that takes, by counting alone."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.sparsity.format import BlockFormat, DimensionFormat
from sparsetool_converters.sparsity.index_width import narrowest, narrowest_dtype
from sparsetool_converters.sparsity.rules import require

_FEW_WORDS = 16  # up to here one pass a column beats numpy's reduction over a short last axis


@dataclass(frozen=True, kw_only=True, eq=False)
class DimensionMetadata:
    """One level, as in the schema's table of that name.

    Attributes:
        format: how the level is stored.
        dense_size: number of coordinates of a DENSE level, 0 of a SPARSE_CSR one.
        segments: of a SPARSE_CSR level, where the indices under each entry of the levels above start, and at
            last their count. Shape (entries above + 1,).
        indices: of a SPARSE_CSR level, its kept coordinates, ascending in each segment.
    """

    format: DimensionFormat
    dense_size: int = 0
    segments: npt.NDArray[np.integer] | None = None
    indices: npt.NDArray[np.integer] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedTensor:
    """An array without its zero blocks.

    Attributes:
        shape: shape of the dense array.
        block_format: its layout.
        levels: one record for each level, in order of traversal.
        values: what was kept, in order of traversal, in the array's dtype. Shape (kept blocks * block size,).
    """

    shape: tuple[int, ...]
    block_format: BlockFormat
    levels: tuple[DimensionMetadata, ...]
    values: npt.NDArray[Any]

    @property
    def payload_bytes(self) -> int:
        """Bytes of values, segments and indices, without what a file adds around them."""
        return self.values.nbytes + self.index_bytes

    @property
    def index_bytes(self) -> int:
        """Bytes of segments and indices."""
        vectors = (vector for level in self.levels for vector in (level.segments, level.indices))
        return sum(vector.nbytes for vector in vectors if vector is not None)


def encode(array: npt.NDArray[Any], block_format: BlockFormat) -> EncodedTensor:
    """Leave out what is all zeros under each compressed level.

    Only zero bits count as zero: -0.0 and every NaN are kept, so that decoding gives the same bits. Segments
    and indices come in their narrowest type. Everything else is as in TFLite's `FormatConverter`
    (tflite/kernels/internal/utils/sparsity_format_converter.cc @ f677574).

        dense            block_csr((1, 2))    dense_size  2       (rows)
        1 2 0 0   ->                          segments    [0 1 2]
        0 0 0 3                               indices     [0 1]
                                              dense_size  2       (inside a block)
                                              values      [1 2 0 3]

    Args:
        array: any shape that the layout fits, elements of 1, 2, 4 or 8 bytes.
        block_format: the layout.

    Raises:
        EncodingError: the layout does not fit the array.
    """
    flat, sizes = _traverse(array, block_format)
    masks = _occupancy(flat, sizes, block_format.formats)
    levels = []
    nodes = np.zeros(1, np.int64)  # entries of the innermost compressed level so far: where each stands in that level
    fan_out = 1  # entries of the dense levels since, under each of them
    for level_format, size, mask in zip(block_format.formats, sizes, masks, strict=True):
        if mask is None:
            levels.append(DimensionMetadata(format=level_format, dense_size=size))
            fan_out *= size
            continue
        kept = np.flatnonzero(mask)
        starts = (nodes[:, None] * fan_out + np.arange(fan_out)).ravel() * size  # (entries above,)
        segments = np.append(np.searchsorted(kept, starts), kept.size)
        # Places number fewer than 2**31, the limit of the layout, so 32 bits hold them.
        indices = kept.astype(np.int32) - np.repeat(starts.astype(np.int32), np.diff(segments))
        levels.append(DimensionMetadata(format=level_format, segments=narrowest(segments), indices=narrowest(indices)))
        nodes, fan_out = kept, 1
    nothing_left_out = nodes.size * fan_out == flat.size
    values = flat.copy() if nothing_left_out else flat.reshape(-1, fan_out).take(nodes, axis=0).ravel()
    return EncodedTensor(
        shape=array.shape, block_format=block_format, levels=tuple(levels), values=values.view(array.dtype)
    )


@dataclass(frozen=True, kw_only=True)
class EncodedSize:
    """What an encoding takes.

    Attributes:
        values_bytes: the kept values.
        index_bytes: segments and indices, each vector in its narrowest type.
        n_indices: how many numbers these vectors hold.
    """

    values_bytes: int
    index_bytes: int
    n_indices: int

    @property
    def payload_bytes(self) -> int:
        """What `EncodedTensor.payload_bytes` would be."""
        return self.values_bytes + self.index_bytes


def encoded_size(array: npt.NDArray[Any], block_format: BlockFormat) -> EncodedSize:
    """What `encode(array, block_format)` would take, by counting alone.

    Args:
        array: any shape that the layout fits, elements of 1, 2, 4 or 8 bytes.
        block_format: the layout.

    Raises:
        EncodingError: the layout does not fit the array.
    """
    flat, sizes = _traverse(array, block_format)
    masks = _occupancy(flat, sizes, block_format.formats)
    index_bytes, n_indices, entries = 0, 0, 1
    for size, mask in zip(sizes, masks, strict=True):
        if mask is None:
            entries *= size
            continue
        kept = int(np.count_nonzero(mask))
        index_bytes += (entries + 1) * narrowest_dtype(kept).itemsize + kept * _index_bytes(mask, size)
        n_indices += entries + 1 + kept
        entries = kept
    return EncodedSize(values_bytes=entries * array.itemsize, index_bytes=index_bytes, n_indices=n_indices)


def encoded_bytes(array: npt.NDArray[Any], block_format: BlockFormat) -> int:
    """What `encode(array, block_format).payload_bytes` would be; see `encoded_size`."""
    return encoded_size(array, block_format).payload_bytes


def _traverse(
    array: npt.NDArray[Any], block_format: BlockFormat
) -> tuple[npt.NDArray[np.unsignedinteger], tuple[int, ...]]:
    """Bits of the elements in order of traversal, shape (elements,), and the sizes of the levels.

    Copies only where the array does not lie in that order already.
    """
    require(
        not array.dtype.hasobject and array.itemsize in (1, 2, 4, 8),
        f"elements must have 1, 2, 4 or 8 bytes, and those of {array.dtype} have not",
    )
    sizes = block_format.level_sizes(array.shape)
    split_shape, axes = split_axes(block_format, array.shape)
    bits = np.ascontiguousarray(array).view(f"u{array.itemsize}")
    return np.ascontiguousarray(bits.reshape(split_shape).transpose(axes)).reshape(-1), sizes


def split_axes(block_format: BlockFormat, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How the array is to be reshaped for its blocks to have axes of their own, and which axis each level is.

    A (2, 6) array in blocks of (1, 3) is reshaped to (2, 2, 3); its levels are the axes 0, 1 and 2.
    """
    expanded = block_format.expanded_shape(shape)
    block_of = {dim: block_format.rank + block for block, dim in enumerate(block_format.block_map)}
    dims = [dim for outer in range(block_format.rank) for dim in (outer, block_of.get(outer)) if dim is not None]
    return tuple(expanded[dim] for dim in dims), tuple(dims.index(dim) for dim in block_format.traversal_order)


def _occupancy(
    flat: npt.NDArray[np.unsignedinteger], sizes: tuple[int, ...], formats: tuple[DimensionFormat, ...]
) -> list[npt.NDArray[np.bool_] | None]:
    """For each compressed level, which of its places hold anything but zeros; None for the dense ones.

    The mask of a level has shape (product of the sizes up to and with that level,).
    """
    masks: list[npt.NDArray[np.bool_] | None] = [None] * len(sizes)
    below = flat
    for level in reversed(range(len(sizes))):
        if formats[level] is DimensionFormat.SPARSE_CSR:
            mask = _any_bit(below.reshape(math.prod(sizes[: level + 1]), -1))
            masks[level], below = mask, mask.view(np.uint8)
    return masks


def _any_bit(rows: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.bool_]:
    """Whether each row of a contiguous (rows, columns) array has a bit that is set."""
    row_bytes = rows.shape[1] * rows.itemsize
    word_bytes = math.gcd(row_bytes, 8)
    words = rows.view(f"u{word_bytes}")  # (rows, words)
    if words.shape[1] > _FEW_WORDS:
        return np.asarray(words.any(axis=1))
    merged = words[:, 0]
    for column in range(1, words.shape[1]):
        merged = merged | words[:, column]
    return np.asarray(merged != 0)


def _index_bytes(mask: npt.NDArray[np.bool_], size: int) -> int:
    """Bytes of one index of a level of this size, in the narrowest type for the places that are kept."""
    places = mask.reshape(-1, size)
    if size > 2**16 and places[:, 2**16 :].any():
        return 4
    return 2 if size > 2**8 and places[:, 2**8 :].any() else 1
