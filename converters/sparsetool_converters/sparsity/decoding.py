"""From an encoded array, trusted by nobody, back to the dense one."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.errors import EncodingError
from sparsetool_converters.sparsity.encoding import DimensionMetadata, EncodedTensor, split_axes
from sparsetool_converters.sparsity.format import DimensionFormat
from sparsetool_converters.sparsity.rules import require

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
    require(
        values.ndim == 1 and not values.dtype.hasobject and values.itemsize in (1, 2, 4, 8),
        f"values must be a vector with elements of 1, 2, 4 or 8 bytes, not {values.dtype} in {values.shape}",
    )
    formats = tuple(level.format for level in encoded.levels)
    require(formats == layout.formats, f"levels must have the layout's formats {layout.formats}, not {formats}")

    nodes, fan_out = _kept_places(encoded.levels, sizes)
    kept = fan_out if nodes is None else nodes.size * fan_out
    require(values.size == kept, f"the levels lead to {kept:,} values, and there are {values.size:,}")
    bits = np.ascontiguousarray(values).view(f"u{values.itemsize}")
    if nodes is None:
        dense = bits.copy()
    else:
        dense = np.zeros(elements, bits.dtype)
        dense.reshape(-1, fan_out)[nodes] = bits.reshape(-1, fan_out)
    _, axes = split_axes(layout, encoded.shape)
    in_order = np.ascontiguousarray(dense.reshape(sizes).transpose(np.argsort(axes)))
    return in_order.reshape(encoded.shape).view(values.dtype)


def _kept_places(
    levels: tuple[DimensionMetadata, ...], sizes: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64] | None, int]:
    """Places that the innermost compressed level keeps, and the elements under each of them.

    The places are counted in order of traversal down to that level; None where no level is compressed.
    """
    nodes: npt.NDArray[np.int64] | None = None
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
        above = np.arange(fan_out) if nodes is None else (nodes[:, None] * fan_out + np.arange(fan_out)).ravel()
        nodes, fan_out = np.repeat(above, counts) * size + indices, 1
        require(
            bool((nodes[1:] > nodes[:-1]).all()) or np.unique(nodes).size == nodes.size,
            f"indices of level {number} must differ within a segment, and some come twice",
        )
    return nodes, fan_out


def _checked_vectors(
    number: int, level: DimensionMetadata, size: int, entries: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How many indices each of the entries above has, and the indices, of a compressed level."""
    segments = _integers(number, "segments", level.segments)
    indices = _integers(number, "indices", level.indices)
    require(
        segments.size == entries + 1,
        f"level {number} must have {entries + 1:,} segment bounds, not {segments.size:,}",
    )
    counts = np.diff(segments)
    require(
        segments[0] == 0 and segments[-1] == indices.size and bool((counts >= 0).all()),
        f"segments of level {number} must rise from 0 to its {indices.size:,} indices",
    )
    lowest, highest = int(indices.min(initial=0)), int(indices.max(initial=0))
    require(
        lowest >= 0 and highest < size,
        f"indices of level {number} must lie in 0..{size - 1}, not in {lowest}..{highest}",
    )
    return counts, indices


def _integers(number: int, name: str, vector: npt.NDArray[np.integer] | None) -> npt.NDArray[np.int64]:
    if vector is None or vector.ndim != 1 or vector.dtype.kind not in "iu":
        found = "none" if vector is None else f"{vector.dtype} in {vector.shape}"
        raise EncodingError("", f"{name} of compressed level {number} must be a vector of integers, not {found}")
    return vector.astype(np.int64)
