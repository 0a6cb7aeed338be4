"""What each way of storing a constant would cost, measured on its values.

Disk is what the file takes, tables included. RAM is what the runtime holds of the constant: it maps the values as they
lie in the file and widens every index to int32 at load (tflite/core/interpreter_builder.cc @ f674577).

    dense      values
    native     kept values + 4 bytes an index
    densify    the same, and the dense values that DENSIFY unpacks
    decode     a bit an element, kept values, and the dense values that TFLM_DECODE unpacks into the arena

A delegate that repacks dense weights holds one more copy of them, for dense and densify alike.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.model import Tensor
from sparsetool_converters.model.decode_operator import HEADER_BYTES, decode_obstacle, encode_pruned
from sparsetool_converters.sparsity import (
    BlockFormat,
    DimensionFormat,
    EncodedSize,
    block_csr,
    csr,
    encode,
    encoded_size,
)
from sparsetool_converters.sparsity.format import MAX_ELEMENTS
from sparsetool_converters.targets import Route, Rule
from sparsetool_converters.targets.rules import BITMAP

# Tables that an encoded tensor adds to the file: upper bounds, held by a test.
NATIVE_OVERHEAD_BYTES = 220
DENSIFY_OVERHEAD_BYTES = 400  # with the DENSIFY operator and the stored tensor, whose name comes on top
DECODE_OVERHEAD_BYTES = 260  # for one reader, with two constants and the operator; less where operators share them
INDEX_BYTES_IN_RAM = 4


class Objective(StrEnum):
    """What a plan makes small."""

    DISK = "disk"
    """Bytes of the file."""
    RAM = "ram"
    """Bytes that the runtime holds."""
    SPEED = "speed"
    """Time of one invocation."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One way of storing a constant, and its price.

    Attributes:
        layout: "dense", "encoded" for a constant that arrived so, or the short name of a sparse format, such as "csr"
            or "block 1x16".
        route: how the operator comes to sparse weights; None for dense ones.
        disk_bytes: what it takes in the file.
        ram_bytes: what the runtime holds of it.
        left_out: share of the elements that are not stored.
        faster: whether the target's table says that the operator runs faster than with dense weights.
    """

    layout: str
    route: Route | None = None
    disk_bytes: int
    ram_bytes: int
    left_out: float = 0.0
    faster: bool = False

    def __str__(self) -> str:
        return self.layout if self.route is None else f"{self.layout}, {self.route}"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A sparse choice, and what it takes to carry it out.

    Attributes:
        choice: what it is and costs.
        block: the block (r, c); (1, 1) is unstructured.
        block_format: its format; None for TFLM_DECODE's.
        rule: the target's rule that allows it.
        faster_from: share left out from which the rule calls it faster, None if it never does.
    """

    choice: Choice
    block: tuple[int, int]
    block_format: BlockFormat | None
    rule: Rule
    faster_from: float | None = None


def stored_choice(tensor: Tensor) -> Choice:
    """The constant as it is; one that arrived encoded is named so."""
    if tensor.is_sparse:
        encoded = tensor.encoded()
        n_indices = sum(v.size for level in encoded.levels for v in (level.segments, level.indices) if v is not None)
        return Choice(
            layout="encoded",
            disk_bytes=encoded.payload_bytes,
            ram_bytes=encoded.values.nbytes + INDEX_BYTES_IN_RAM * n_indices,
        )
    return Choice(layout="dense", disk_bytes=tensor.buffer.nbytes, ram_bytes=tensor.buffer.nbytes)


def candidates(tensor: Tensor, rule: Rule, *, rows: int, readers: int = 1) -> list[Candidate]:
    """Every format that a rule allows for a dense constant.

    Args:
        tensor: the constant.
        rule: of a target's table, for the use of the constant.
        rows: rows of activations that the operator multiplies it with; the table's speeds are those of one.
        readers: how many operators read it; each needs a TFLM_DECODE of its own.
    """
    array = tensor.array()
    if array.size > MAX_ELEMENTS:
        return []
    if rule.route is Route.DECODE:
        return [] if decode_obstacle(tensor) else [_decoded(tensor, rule, readers)]
    if rule.route is Route.DENSIFY:
        overhead_bytes = DENSIFY_OVERHEAD_BYTES + len(tensor.name.encode())
        return [
            _candidate(array, rule, block, fmt, layout, overhead_bytes, None)
            for layout, block, fmt in _densify_layouts(array.shape)
        ]
    found = []
    for i, block in enumerate(rule.blocks):
        block_format = native_format(array, rule, block)
        if block_format is not None:
            faster_from = rule.faster_from_sparsity[i] if rule.faster_from_sparsity and rows == 1 else None
            found.append(_candidate(array, rule, block, block_format, _name(block), NATIVE_OVERHEAD_BYTES, faster_from))
    return found


def _decoded(tensor: Tensor, rule: Rule, readers: int) -> Candidate:
    bits, values = encode_pruned(tensor)
    array, stored_bytes = tensor.array(), bits.nbytes + values.nbytes
    kept_bytes = values.nbytes - HEADER_BYTES
    more_outputs = (readers - 1) * (DECODE_OVERHEAD_BYTES + len(tensor.name.encode()))
    choice = Choice(
        layout=BITMAP,
        route=rule.route,
        disk_bytes=stored_bytes + DECODE_OVERHEAD_BYTES + more_outputs,
        ram_bytes=stored_bytes + array.nbytes,
        left_out=1 - kept_bytes / array.nbytes if array.nbytes else 0.0,
    )
    return Candidate(choice=choice, block=(1, 1), block_format=None, rule=rule)


def _candidate(
    array: npt.NDArray[Any],
    rule: Rule,
    block: tuple[int, int],
    block_format: BlockFormat,
    layout: str,
    overhead_bytes: int,
    faster_from: float | None,
) -> Candidate:
    size = encoded_size(array, block_format)
    left_out = 1 - size.values_bytes / array.nbytes if array.nbytes else 0.0
    choice = Choice(
        layout=layout,
        route=rule.route,
        disk_bytes=size.payload_bytes + overhead_bytes,
        ram_bytes=_ram_bytes(size) + (array.nbytes if rule.route is Route.DENSIFY else 0),
        left_out=left_out,
        faster=faster_from is not None and left_out >= faster_from,
    )
    return Candidate(choice=choice, block=block, block_format=block_format, rule=rule, faster_from=faster_from)


def _ram_bytes(size: EncodedSize) -> int:
    return size.values_bytes + INDEX_BYTES_IN_RAM * size.n_indices


def _name(block: tuple[int, int]) -> str:
    return "csr" if block == (1, 1) else f"block {block[0]}x{block[1]}"


def native_format(array: npt.NDArray[Any], rule: Rule, block: tuple[int, int]) -> BlockFormat | None:
    """The format of a block that the kernel reads itself, None if this array does not fit the kernel."""
    rows, columns = block
    if array.ndim != 2 or array.shape[0] % rows or array.shape[1] % columns:
        return None
    if rule.max_columns is not None and array.shape[1] > rule.max_columns:
        return None
    block_format = csr(2) if block == (1, 1) else block_csr(block)
    if rule.max_blocks_per_row is not None and _most_blocks_per_row(array, block_format) > rule.max_blocks_per_row:
        return None
    return block_format


def _most_blocks_per_row(array: npt.NDArray[Any], block_format: BlockFormat) -> int:
    segments = encode(array, block_format).levels[1].segments
    return 0 if segments is None or len(segments) < 2 else int(np.diff(segments.astype(np.int64)).max())


def _densify_layouts(shape: tuple[int, ...]) -> list[tuple[str, tuple[int, int], BlockFormat]]:
    """Formats worth trying for a tensor that DENSIFY unpacks, which reads any.

    The index vectors dominate, and an index takes one byte up to 256 and two beyond, so each axis is tried as the
    one that carries them:

        [64, 5, 5, 32] on axis 3    1 byte an index, 1,601 segments
        [64, 5, 5, 32] on axis 0    1 byte an index,   801 segments
    """
    rank = len(shape)
    layouts = [(f"csr on axis {axis}", (1, 1), _csr_along(rank, axis)) for axis in range(rank) if shape[axis] > 1]
    if rank == 2:
        fitting = [(r, c) for r, c in ((1, 4), (1, 16)) if shape[0] % r == 0 and shape[1] % c == 0]
        layouts += [(_name(block), block, block_csr(block)) for block in fitting]
    return layouts


def _csr_along(rank: int, axis: int) -> BlockFormat:
    order = (*(d for d in range(rank) if d != axis), axis)
    formats = (*(DimensionFormat.DENSE,) * (rank - 1), DimensionFormat.SPARSE_CSR)
    return BlockFormat(traversal_order=order, formats=formats)
