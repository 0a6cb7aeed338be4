"""From an encoded array, trusted by nobody, back to the dense one."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.errors import EncodingError
from sparsetool_converters.sparsity.encoding import DimensionMetadata, EncodedTensor, split_axes
from sparsetool_converters.sparsity.format import DimensionFormat
from sparsetool_converters.sparsity.rules import brief, require

DEFAULT_MAX_ELEMENTS = 2**28  # 1 GiB of float32


def decode(encoded: EncodedTensor, *, max_elements: int = DEFAULT_MAX_ELEMENTS) -> npt.NDArray[Any]:
    """The dense array, bit for bit what was encoded; what was left out is zero bits.

    The metadata may come from any file: they are checked before anything of their size is allocated.

        dense_size  2  (rows)              dense
        segments    [0 1 2]                1 2 0 0
        indices     [0 1]           ->     0 0 0 3
        dense_size  2  (inside a block)
        values      [1 2 0 3]

    Args:
        encoded: the array without its zero blocks.
        max_elements: size of the largest dense array to be made.

    Raises:
        EncodingError: the metadata contradict the shape, each other or the values, or the array is too large.
    """
    layout, values = encoded.block_format, encoded.values
    sizes = layout.level_sizes(encoded.shape)
    elements = math.prod(sizes)
    require(elements <= max_elements, f"{elements:,} elements are more than the {max_elements:,} allowed")
    nodes, fan_out = _checked_places(encoded, sizes)
    bits = np.ascontiguousarray(values).view(f"u{values.itemsize}")
    split_shape, axes = split_axes(layout, encoded.shape)
    dense = bits.copy() if nodes is None else np.zeros(elements, bits.dtype)
    if axes == tuple(range(len(axes))):
        if nodes is not None:
            dense.reshape(-1, fan_out)[nodes] = bits.reshape(-1, fan_out)
    elif nodes is None:
        dense = np.ascontiguousarray(dense.reshape(sizes).transpose(np.argsort(axes)))
    else:  # into the places that they have in the array, since a second array in order of traversal takes as much
        compressed = 1 + max(n for n, level in enumerate(encoded.levels) if level.format is DimensionFormat.SPARSE_CSR)
        at = np.unravel_index(nodes, sizes[:compressed])
        dense.reshape(split_shape).transpose(axes)[at] = bits.reshape(-1, *sizes[compressed:])
    return dense.reshape(encoded.shape).view(values.dtype)


def check(encoded: EncodedTensor) -> None:
    """Refuse what `decode` would refuse, but for its size, without making the dense array.

    Raises:
        EncodingError: the metadata contradict the shape, each other or the values.
    """
    _checked_places(encoded, encoded.block_format.level_sizes(encoded.shape))


def _checked_places(encoded: EncodedTensor, sizes: tuple[int, ...]) -> tuple[npt.NDArray[np.integer] | None, int]:
    """As `_kept_places`, once it is known that there are as many values."""
    values = encoded.values
    require(
        values.ndim == 1 and not values.dtype.hasobject and values.itemsize in (1, 2, 4, 8),
        f"values must be a vector with elements of 1, 2, 4 or 8 bytes, not {values.dtype} in {values.shape}",
    )
    formats = tuple(level.format for level in encoded.levels)
    expected = encoded.block_format.formats
    require(formats == expected, f"levels must have the layout's formats {brief(expected)}, not {brief(formats)}")
    nodes, fan_out = _kept_places(encoded.levels, sizes)
    kept = fan_out if nodes is None else nodes.size * fan_out
    require(values.size == kept, f"the levels lead to {kept:,} values, and there are {values.size:,}")
    return nodes, fan_out


def _kept_places(
    levels: tuple[DimensionMetadata, ...], sizes: tuple[int, ...]
) -> tuple[npt.NDArray[np.integer] | None, int]:
    """Places that the innermost compressed level keeps, and the elements under each of them.

    The places are counted in order of traversal down to that level; None where no level is compressed.
    """
    nodes: npt.NDArray[np.integer] | None = None
    fan_out = 1
    for number, (level, size) in enumerate(zip(levels, sizes, strict=True)):
        if level.format is DimensionFormat.DENSE:
            require(
                level.dense_size == size,
                f"dense level {number} must have size {size}, not {level.dense_size}",
            )
            fan_out *= size
            continue
        entries = fan_out if nodes is None else nodes.size * fan_out
        counts, indices = _checked_vectors(number, level, size, entries)
        # Places number fewer than 2**31, the limit of the layout, so 32 bits hold them.
        under = np.arange(fan_out, dtype=np.int32)
        above = under if nodes is None else (nodes[:, None] * np.int32(fan_out) + under).ravel()
        nodes = np.repeat(above * np.int32(size), counts)
        nodes += indices
        fan_out = 1
        require(
            bool((nodes[1:] > nodes[:-1]).all()) or np.unique(nodes).size == nodes.size,
            f"indices of level {number} must differ within a segment, and some come twice",
        )
    return nodes, fan_out


def _checked_vectors(
    number: int, level: DimensionMetadata, size: int, entries: int
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
    """How many indices each of the entries above has, and the indices, of a compressed level."""
    segments = _integers(number, "segments", level.segments)
    indices = _integers(number, "indices", level.indices)
    require(
        segments.size == entries + 1,
        f"level {number} must have {entries + 1:,} segment bounds, not {segments.size:,}",
    )
    require(
        segments[0] == 0 and segments[-1] == indices.size and bool((segments[1:] >= segments[:-1]).all()),
        f"segments of level {number} must rise from 0 to its {indices.size:,} indices",
    )
    lowest, highest = int(indices.min(initial=0)), int(indices.max(initial=0))
    require(
        lowest >= 0 and highest < size,
        f"indices of level {number} must lie in 0..{size - 1}, not in {lowest}..{highest}",
    )
    return np.diff(segments).astype(np.int64), indices


def _integers(number: int, name: str, vector: npt.NDArray[np.integer] | None) -> npt.NDArray[np.integer]:
    if vector is None or vector.ndim != 1 or vector.dtype.kind not in "iu":
        found = "none" if vector is None else f"{vector.dtype} in {vector.shape}"
        raise EncodingError("", f"{name} of compressed level {number} must be a vector of integers, not {found}")
    return vector
