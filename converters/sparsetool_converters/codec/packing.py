"""From any file to a container."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import xxhash

from sparsetool_converters.codec.choosing import Choice, best_frame, choose_dense, choose_sparse
from sparsetool_converters.codec.container import Container, Packed, Range
from sparsetool_converters.codec.errors import WireFormatError
from sparsetool_converters.codec.frames import QUICKEST, SMALLEST, Effort, compressor, frame
from sparsetool_converters.codec.regions import Index, Places, Region
from sparsetool_converters.codec.spool import Spool
from sparsetool_converters.codec.tensors import DenseTensor, SparseTensor, find_tensors
from sparsetool_converters.codec.unpacking import checked_contents

_PIECE_BYTES = 2**24  # of a tensor in one region
_FULL_PIECE_BYTES = 2**21  # of one with few zeros, where longer pieces gain nothing and zstd needs more memory
_FEW_ZEROS = 0.1
# From this size on, a tensor has a region even if nothing is known of it: it can be read alone.
_OWN_FRAME_BYTES = 2**16
_FAST_WHOLE_LEVEL = 3
_WHOLE_STEP_BYTES = 2**20
_WHOLE_SURE_BYTES = 2**24  # from here on it is seen whether one plain frame may come out smaller


def pack(data: bytes | bytearray | memoryview, *, effort: Effort = Effort.SMALL) -> bytes:
    """Pack a file so that `unpack` gives it back bit for bit.

    A model's weights are packed by what is known of them; any other file, and any model that would not gain, as plain
    zstd. At the full effort the result is never more than 0.1 % and 300 bytes over zstd at level 19.

    Args:
        data: any bytes.
        effort: `FAST` takes a tenth of the time and gives a larger container.
    """
    view = memoryview(data).cast("B")
    packed = _in_regions(view, data, effort)
    whole = _whole(view, effort, None if packed is None else len(packed) - len(packed) // 2000 - 150)
    if packed is None or whole is not None:
        assert whole is not None
        return whole
    return packed


def _in_regions(view: memoryview, data: bytes | bytearray | memoryview, effort: Effort) -> bytes | None:
    """The container with its tensors in regions, None if there is none that is worth it."""
    spool = Spool(len(view))
    regions = [_kept(found, spool) for tensor in find_tensors(data) for found in _regions(view, tensor, effort)]
    return _assembled(view, regions, effort).to_bytes() if regions else None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """A region whose ranges have no numbers yet."""

    packed: Packed
    ranges: tuple[Range, ...]


def _kept(found: _Found, spool: Spool) -> _Found:
    frames = [spool.keep(frame) for frame in found.packed.frames]
    return replace(found, packed=replace(found.packed, frames=frames))


def _regions(view: memoryview, tensor: DenseTensor | SparseTensor, effort: Effort) -> Iterator[_Found]:
    """The regions of a tensor; none if it is better off among the literal bytes."""
    pieces = _dense_pieces(view, tensor, effort) if isinstance(tensor, DenseTensor) else _sparse(view, tensor, effort)
    for found, choice in pieces:
        if not _allowed(found.packed):
            continue
        size = sum(r.length for r in found.ranges)
        nothing_known = choice.places is Places.ALL and choice.coding == 0
        if size >= _OWN_FRAME_BYTES and (nothing_known or choice.packed_bytes < size):
            yield found
        elif not nothing_known and size < _OWN_FRAME_BYTES:
            plain = b"".join(view[r.start : r.end] for r in found.ranges)
            if choice.packed_bytes < 0.98 * len(frame(plain, SMALLEST if effort is Effort.SMALL else QUICKEST)):
                yield found


def _allowed(packed: Packed) -> bool:
    """Whether its streams keep to the limits of the format; those of a few units far apart may not."""
    try:
        checked_contents(packed)
    except WireFormatError:
        return False
    return True


def _dense_pieces(view: memoryview, tensor: DenseTensor, effort: Effort) -> Iterator[tuple[_Found, Choice]]:
    row_bytes = tensor.payload.length // tensor.rows
    step = _piece_bytes(view, tensor)
    if tensor.rows > 1 and row_bytes <= step:
        step = step // row_bytes * row_bytes
    else:
        row_bytes = 0
    for start in range(tensor.payload.start, tensor.payload.end, step):
        piece = Range(start=start, length=min(step, tensor.payload.end - start))
        elements = np.frombuffer(view[piece.start : piece.end], f"<u{tensor.element_bytes}")
        choice = choose_dense(elements, piece.length // row_bytes if row_bytes else 1, effort)
        yield _Found(packed=_packed(choice, tensor.element_bytes, None), ranges=(piece,)), choice


def _piece_bytes(view: memoryview, tensor: DenseTensor) -> int:
    elements = np.frombuffer(view[tensor.payload.start : tensor.payload.end], f"<u{tensor.element_bytes}")
    zeros = elements.size - np.count_nonzero(elements)
    return _PIECE_BYTES if zeros > _FEW_ZEROS * elements.size else _FULL_PIECE_BYTES


def _sparse(view: memoryview, tensor: SparseTensor, effort: Effort) -> Iterator[tuple[_Found, Choice]]:
    """Cut between rows of the index where the whole is too much for one region."""
    unit_bytes = tensor.unit * tensor.element_bytes
    ends = tensor.bounds[1:] * (unit_bytes + tensor.index_bytes)
    ends = ends + np.arange(1, tensor.rows + 1) * tensor.segment_bytes  # of what rows take in all ranges
    at = 0
    while at < tensor.rows:
        taken = int(ends[at - 1]) if at else 0
        end = int(np.searchsorted(ends, taken + _PIECE_BYTES, side="right"))
        if end < tensor.rows and end > at and tensor.rows % tensor.outer_rows == 0:
            slab = tensor.rows // tensor.outer_rows
            end = end // slab * slab if end // slab * slab > at else end
        if end == at:  # a row that is too large for a region stays literal
            at += 1
            continue
        first, last = int(tensor.bounds[at]), int(tensor.bounds[end])
        if last > first:
            yield _sparse_piece(view, tensor, at, end, effort)
        at = end


def _sparse_piece(
    view: memoryview, tensor: SparseTensor, begin: int, end: int, effort: Effort
) -> tuple[_Found, Choice]:
    first, last = int(tensor.bounds[begin]), int(tensor.bounds[end])
    unit_bytes, rows = tensor.unit * tensor.element_bytes, end - begin
    values = _part(tensor.payload, first, last, unit_bytes)
    indices = _part(tensor.indices, first, last, tensor.index_bytes)
    segments = _part(tensor.segments, begin, end, tensor.segment_bytes)
    row_starts = np.arange(rows, dtype=np.int64) * tensor.columns
    places = np.repeat(row_starts, np.diff(tensor.bounds[begin : end + 1]))
    places += np.frombuffer(view[indices.start : indices.end], f"<u{tensor.index_bytes}")
    outer = tensor.outer_rows * rows // tensor.rows
    numbers_of_rows = [1, rows, outer] if outer and rows % outer == 0 else [1, rows]
    choice = choose_sparse(
        places.astype(np.int32),
        np.frombuffer(view[values.start : values.end], f"<u{tensor.element_bytes}"),
        tensor.unit,
        numbers_of_rows,
        rows * tensor.columns,
        effort,
    )
    index = Index(
        columns=tensor.columns,
        first=first,
        indices_range=0,
        index_bytes=tensor.index_bytes,
        segments_range=0,
        segment_bytes=tensor.segment_bytes,
    )
    packed = _packed(choice, tensor.element_bytes, index)
    return _Found(packed=packed, ranges=(values, indices, segments)), choice


def _part(whole: Range, first: int, last: int, item_bytes: int) -> Range:
    return Range(start=whole.start + first * item_bytes, length=(last - first) * item_bytes)


def _packed(choice: Choice, element_bytes: int, index: Index | None) -> Packed:
    region = Region(
        places=choice.places,
        coding=choice.coding,
        element_bytes=element_bytes,
        unit=choice.unit,
        rows=choice.rows,
        columns=choice.columns,
        kept=choice.kept,
        values_range=0,
        index=index,
    )
    return Packed(region=region, frames=choice.frames)


def _assembled(view: memoryview, regions: list[_Found], effort: Effort) -> Container:
    """The container of these regions and all other bytes."""
    ranges = sorted((r for found in regions for r in found.ranges), key=lambda r: r.start)
    number = {r.start: n for n, r in enumerate(ranges)}
    numbered = []
    for found in regions:
        region, own = found.packed.region, [number[r.start] for r in found.ranges]
        index = region.index
        if index is not None:
            index = replace(index, indices_range=own[1], segments_range=own[2])
        numbered.append(Packed(region=replace(region, values_range=own[0], index=index), frames=found.packed.frames))
    container = Container(
        output_bytes=len(view),
        output_hash=xxhash.xxh64_intdigest(view),
        ranges=ranges,
        literal=b"",
        regions=numbered,
    )
    literal = np.frombuffer(b"".join(view[r.start : r.end] for r in container.literal_pieces()), np.uint8)
    return replace(container, literal=best_frame(literal, frame(literal, QUICKEST), effort))


def _whole(view: memoryview, effort: Effort, most: int | None) -> bytes | None:
    """The container of one plain frame, None if it would take more than `most` bytes.

    Regions can be read one by one, so they are preferred where they cost next to nothing. What a frame has given so
    far is kept only as long as it looks as if it came out smaller.
    """
    level = SMALLEST if effort is Effort.SMALL else _FAST_WHOLE_LEVEL
    if most is None:
        return _plain(view, frame(view, level))
    stream = compressor(level).compressobj(size=len(view))
    parts: list[bytes] | None = []
    total = 0
    for start in range(0, len(view), _WHOLE_STEP_BYTES):
        part = stream.compress(view[start : start + _WHOLE_STEP_BYTES])
        total += len(part)
        if total > most:
            return None
        if parts is not None:
            parts.append(part)
            looks_larger = total > 1.03 * most * (start + _WHOLE_STEP_BYTES) / len(view)
            if looks_larger and start >= _WHOLE_SURE_BYTES:
                parts = None
    last = stream.flush()
    if total + len(last) > most:
        return None
    return _plain(view, frame(view, level) if parts is None else b"".join([*parts, last]))


def _plain(view: memoryview, literal: bytes) -> bytes:
    whole = Container(
        output_bytes=len(view), output_hash=xxhash.xxh64_intdigest(view), ranges=[], literal=literal, regions=[]
    )
    return whole.to_bytes()
