"""Layouts of an encoded array: which dimension comes when, which are compressed, which are cut into blocks.

The words are those of `SparsityParameters` in TFLite's schema. An array of rank n with k blocked dimensions
has n + k expanded dimensions: numbers 0 to n - 1 are the array's own (a blocked one counts its blocks), and
number n + i runs inside the blocks of dimension `block_map[i]`. Levels are the expanded dimensions in the
order of traversal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from sparsetool_converters.sparsity.rules import brief, require

MAX_ELEMENTS = 2**31 - 1  # positions are int, tflite/kernels/internal/utils/sparsity_format_converter.cc @ f677574


class DimensionFormat(IntEnum):
    """How a level is stored; the numbers are those of `DimensionType` in TFLite's schema.

    DENSE keeps every coordinate. SPARSE_CSR keeps those under which anything is not zero.
    """

    DENSE = 0
    SPARSE_CSR = 1


@dataclass(frozen=True, kw_only=True)
class BlockFormat:
    """One layout for arrays of one rank, holding only what the TFLite runtime decodes rightly.

    A block level is always DENSE: the runtime takes the size of a block from `dense_size`, which it reads for
    DENSE levels only, and divides by it; a SPARSE_CSR block level ends the process. (`ParseSparsity` in
    tflite/core/interpreter_builder.cc, `InitSparseToDenseConverter` in
    tflite/kernels/internal/utils/sparsity_format_converter.cc @ f677574)

    Attributes:
        traversal_order: expanded dimension of each level, a permutation of 0..n-1, then one of n..n+k-1.
        formats: format of each level, in order of traversal.
        block_map: for each block, the dimension that it cuts, ascending.
        block_shape: for each block, its length in elements.

    Raises:
        EncodingError: the layout is not one that TFLite's schema and runtime allow.
    """

    traversal_order: tuple[int, ...]
    formats: tuple[DimensionFormat, ...]
    block_map: tuple[int, ...] = ()
    block_shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        order, rank, levels = self.traversal_order, self.rank, len(self.traversal_order)
        require(rank >= 1, f"a layout needs at least one dimension that is not a block, not order {brief(order)}")
        require(
            sorted(order[:rank]) == list(range(rank)) and sorted(order[rank:]) == list(range(rank, levels)),
            f"traversal order must be a permutation of 0..{rank - 1} followed by one of the {levels - rank} "
            f"block dimensions from {rank} on, not {brief(order)}",
        )
        require(
            len(self.formats) == levels,
            f"each of the {levels} levels needs one format, not {len(self.formats)}",
        )
        require(
            all(0 <= dim < rank for dim in self.block_map)
            and all(a < b for a, b in zip(self.block_map, self.block_map[1:], strict=False)),
            f"block map must hold ascending dimensions under {rank}, not {brief(self.block_map)}",
        )
        require(
            len(self.block_shape) == len(self.block_map) and all(size >= 1 for size in self.block_shape),
            f"each of the {len(self.block_map)} blocks needs a length of 1 or more, not {brief(self.block_shape)}",
        )
        require(
            DimensionFormat.SPARSE_CSR not in self.formats[rank:],
            "levels inside a block must be DENSE: the runtime knows no block size for a SPARSE_CSR one",
        )
        require(
            all(order[dim] == level for level, dim in enumerate(order) if level >= rank),
            f"blocks may only change places in pairs, as the runtime reads them, not {brief(order[rank:])}",
        )

    @property
    def rank(self) -> int:
        """Rank of the arrays that this layout is for."""
        return len(self.traversal_order) - len(self.block_map)

    @classmethod
    def from_levels(
        cls,
        *,
        traversal_order: Sequence[int],
        formats: Sequence[int],
        dense_sizes: Sequence[int],
        block_map: Sequence[int] = (),
    ) -> Self:
        """Layout from the fields of a `SparsityParameters` table, whose block sizes stand in `dense_size`.

        Args:
            traversal_order: expanded dimension of each level.
            formats: number of each level's `DimensionType`.
            dense_sizes: `dense_size` of each level; only those of block levels are used.
            block_map: for each block, the dimension that it cuts.

        Raises:
            EncodingError: the fields make no layout that the runtime decodes rightly.
        """
        levels, rank = len(traversal_order), len(traversal_order) - len(block_map)
        require(
            len(dense_sizes) == levels,
            f"{levels} levels need as many dimension metadata, not {len(dense_sizes)}",
        )
        require(
            all(number in tuple(DimensionFormat) for number in formats),
            f"formats of levels must be 0 (DENSE) or 1 (SPARSE_CSR), not {brief(formats)}",
        )
        sizes = dict(zip(traversal_order, dense_sizes, strict=True))
        return cls(
            traversal_order=tuple(traversal_order),
            formats=tuple(DimensionFormat(number) for number in formats),
            block_map=tuple(block_map),
            block_shape=tuple(sizes.get(rank + block, 0) for block in range(len(block_map))),
        )

    def expanded_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Sizes of the n + k expanded dimensions of an array, the blocks last.

        Raises:
            EncodingError: the array does not fit the layout.
        """
        require(len(shape) == self.rank, f"this layout is for rank {self.rank}, not for shape {brief(shape)}")
        require(all(size >= 1 for size in shape), f"an array without elements has no layout: {brief(shape)}")
        elements = math.prod(shape)
        require(
            elements <= MAX_ELEMENTS,
            f"{elements:,} elements are more than the {MAX_ELEMENTS:,} of the schema",
        )
        outer = list(shape)
        for dim, size in zip(self.block_map, self.block_shape, strict=True):
            require(
                shape[dim] % size == 0,
                f"{shape[dim]} elements of dimension {dim} are not a multiple of block size {size}",
            )
            outer[dim] //= size
        return (*outer, *self.block_shape)

    def level_sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Sizes of the levels of an array, in order of traversal.

        Raises:
            EncodingError: the array does not fit the layout.
        """
        expanded = self.expanded_shape(shape)
        return tuple(expanded[dim] for dim in self.traversal_order)


def csr(rank: int) -> BlockFormat:
    """Single elements: the last dimension compressed, all before it dense."""
    return block_csr((1, 1), rank)


def block_csr(block: tuple[int, int], rank: int = 2) -> BlockFormat:
    """Blocks of r outputs by c consecutive inputs, on TFLite's weights `[out, ..., in]`.

    Args:
        block: (r, c); a 1 cuts nothing and takes no level.
        rank: 2 for FULLY_CONNECTED, 4 for convolutions.

    Raises:
        EncodingError: the rank cannot carry the block.
    """
    require(rank >= 2 or (rank == 1 and block[0] == 1), f"blocks {block} need rank 2 or more, not {rank}")
    cuts = [(dim, size) for dim, size in zip((0, rank - 1), block, strict=True) if size != 1]
    return BlockFormat(
        traversal_order=tuple(range(rank + len(cuts))),
        formats=(
            *(DimensionFormat.DENSE,) * (rank - 1),
            DimensionFormat.SPARSE_CSR,
            *(DimensionFormat.DENSE,) * len(cuts),
        ),
        block_map=tuple(dim for dim, _ in cuts),
        block_shape=tuple(size for _, size in cuts),
    )
