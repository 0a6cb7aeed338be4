"""Which representation of a tensor is smallest, by measured bytes.

Alternatives are weighed at zstd's quickest level; only the best is packed at the level that was asked for.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparsetool_converters.codec.frames import QUICKEST, SMALLEST, Effort, frame
from sparsetool_converters.codec.places import to_gaps, to_mask
from sparsetool_converters.codec.regions import MAX_ROWS, Coding, Places
from sparsetool_converters.codec.values import to_streams

Bytes = npt.NDArray[np.uint8]
Elements = npt.NDArray[np.unsignedinteger]

UNITS = (1, 4, 16)  # elements; blocks that the encoder makes
_MOST_KEPT = 0.9  # with more, telling places is never worth it
_LEAST_MASK = 0.25  # with fewer, gaps are smaller than a mask
_SAMPLE_BYTES = 2**17
_SAMPLE_ELEMENTS = 2**18


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """A representation and its frames.

    Attributes:
        places, coding, unit, rows, columns, kept: as in a region.
        frames: one for each stream.
    """

    places: Places
    coding: Coding
    unit: int
    rows: int
    columns: int
    kept: int
    frames: Sequence[bytes]

    @property
    def packed_bytes(self) -> int:
        """Bytes of the frames, and about what the directory says of them."""
        return sum(len(f) for f in self.frames) + 16 + 2 * len(self.frames)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Draft:
    """A choice before it is packed; `quick_frames` are at the quickest level."""

    places: Places
    coding: Coding
    unit: int
    rows: int
    columns: int
    kept: int
    streams: Sequence[Bytes]
    quick_frames: Sequence[bytes]

    @property
    def quick_bytes(self) -> int:
        return sum(len(f) for f in self.quick_frames)

    def packed(self, effort: Effort) -> Choice:
        return Choice(
            places=self.places,
            coding=self.coding,
            unit=self.unit,
            rows=self.rows,
            columns=self.columns,
            kept=self.kept,
            frames=[best_frame(s, q, effort) for s, q in zip(self.streams, self.quick_frames, strict=True)],
        )


def choose_dense(elements: Elements, rows: int, effort: Effort) -> Choice:
    """The smallest representation of a dense tensor, or of some rows of one.

    Args:
        elements: unsigned integers, 1-D, 1 or more.
        rows: rows that they come in.
        effort: the level to pack at.
    """
    bits = elements != 0
    nonzero = int(np.count_nonzero(bits))
    drafts: list[_Draft] = []
    if nonzero < _MOST_KEPT * elements.size:
        unit = _unit(bits, nonzero, elements.size // rows, elements.itemsize)
        places = np.flatnonzero(_merged(bits, unit)).astype(np.int32)
        del bits
        values = elements if unit == 1 else elements.reshape(-1, unit)
        kept = values[places].reshape(-1)
        drafts.append(smallest_draft(places, kept, unit, [1, rows], elements.size // unit))
    if nonzero >= 0.5 * elements.size:
        drafts.extend(_all_drafts(elements))
    elif elements.itemsize == 1 or not drafts or effort is Effort.SMALL:
        drafts.append(_draft(Places.ALL, Coding.PLAIN, 1, 1, elements.size, elements.size, [elements.view(np.uint8)]))
    return _best(drafts, effort)


def choose_sparse(
    places: npt.NDArray[np.int32], kept: Elements, unit: int, rows: Sequence[int], units: int, effort: Effort
) -> Choice:
    """The smallest representation of what a sparse tensor keeps.

    Args:
        places: int32, ascending.
        kept: the kept elements, 1-D.
        unit: elements in a unit.
        rows: numbers of rows to try.
        units: places that there are.
        effort: the level to pack at.
    """
    return smallest_draft(places, kept, unit, rows, units).packed(effort)


def smallest_draft(places: npt.NDArray[np.int32], kept: Elements, unit: int, rows: Sequence[int], units: int) -> _Draft:
    """Gaps in one row or in several, or a mask, with the coding of values that is smallest for them."""
    n = places.size
    coding = _smallest_coding(kept)
    found = []
    for count in dict.fromkeys(count for count in rows if count <= MAX_ROWS):
        sent = to_gaps(places, count, units // count)
        values = kept if sent.sent is None else kept.reshape(-1, unit)[sent.sent].reshape(-1)
        streams = [*([sent.counts] if count > 1 else []), sent.gaps, *_streams(values, coding)]
        found.append(_draft(Places.GAPS, coding, unit, count, units // count, n, streams))
    if n > _LEAST_MASK * units:
        streams = [to_mask(places, units), *_streams(kept, coding)]
        found.append(_draft(Places.MASK, coding, unit, 1, units, n, streams))
    return min(found, key=lambda draft: draft.quick_bytes)


def _all_drafts(elements: Elements) -> Iterator[_Draft]:
    for coding in dict.fromkeys((Coding.PLAIN, _smallest_coding(elements))):
        streams = to_streams(elements, coding)
        if streams is not None:
            yield _draft(Places.ALL, coding, 1, 1, elements.size, elements.size, streams)


def _draft(
    places: Places, coding: Coding, unit: int, rows: int, columns: int, kept: int, streams: Sequence[Bytes]
) -> _Draft:
    return _Draft(
        places=places,
        coding=coding,
        unit=unit,
        rows=rows,
        columns=columns,
        kept=kept,
        streams=streams,
        quick_frames=[frame(stream, QUICKEST) for stream in streams],
    )


def _best(drafts: Sequence[_Draft], effort: Effort) -> Choice:
    """The smallest; zstd's matches, which only high levels find, may turn plain bytes into it."""
    best = min(drafts, key=lambda draft: draft.quick_bytes)
    plain = next((d for d in drafts if d.places is Places.ALL and d.coding is Coding.PLAIN), None)
    if effort is Effort.FAST or plain is None or plain is best:
        return best.packed(effort)
    stream = plain.streams[0]
    promised = plain.quick_bytes * _gain(stream, min(_SAMPLE_BYTES, stream.size // 4))
    if promised > 1.1 * best.quick_bytes:
        return best.packed(effort)
    if stream.size > _SAMPLE_BYTES // 2:  # packing both would take too long
        return (plain if promised < best.quick_bytes else best).packed(effort)
    return min((best.packed(effort), plain.packed(effort)), key=lambda choice: choice.packed_bytes)


def best_frame(stream: Bytes, quick: bytes, effort: Effort) -> bytes:
    """The smaller of the frames at the quickest and the smallest level, the latter only if it promises anything."""
    if effort is Effort.FAST or not quick:
        return quick
    looks_random = len(quick) > 0.99 * stream.size
    sample_bytes = _SAMPLE_BYTES // 8 if looks_random else _SAMPLE_BYTES
    if stream.size > 4 * sample_bytes and _gain(stream, sample_bytes) > 0.998:
        return quick
    return min(quick, frame(stream, SMALLEST), key=len)


def _gain(stream: Bytes, sample_bytes: int) -> float:
    """Size at the smallest level over that at the quickest, on a sample from the middle."""
    start = max(0, stream.size // 2 - sample_bytes // 2)
    sample = stream[start : start + sample_bytes]
    return len(frame(sample, SMALLEST)) / max(1, len(frame(sample, QUICKEST)))


def _smallest_coding(kept: Elements) -> Coding:
    """The coding that is smallest, of many elements on a sample from their middle."""
    if kept.itemsize == 1:
        return Coding.PLAIN
    start = max(0, kept.size // 2 - _SAMPLE_ELEMENTS // 2)
    sample = kept[start : start + _SAMPLE_ELEMENTS]
    best, best_bytes = Coding.PLAIN, math.inf
    for coding in Coding:
        streams = to_streams(sample, coding)
        if streams is not None:
            size = sum(len(frame(stream, QUICKEST)) for stream in streams)
            if size < best_bytes and (coding is not Coding.LIST or to_streams(kept, coding) is not None):
                best, best_bytes = coding, size
    return best


def _streams(values: Elements, coding: Coding) -> list[Bytes]:
    streams = to_streams(values, coding)
    assert streams is not None  # the same values as before, in another order
    return streams


def _merged(bits: npt.NDArray[np.bool_], unit: int) -> npt.NDArray[np.bool_]:
    """Whether any bit of each unit is set, for units of 1, 4 or 16."""
    while unit > 1:
        bits, unit = bits.view(np.uint32) != 0, unit // 4
    return bits


def _unit(bits: npt.NDArray[np.bool_], nonzero: int, columns: int, element_bytes: int) -> int:
    """The unit in which places and the zeros that stay in kept units cost least, by their entropy."""
    best, best_cost = 1, math.inf
    for unit in UNITS:
        if columns % unit:
            break
        bits = _merged(bits, 1 if unit == 1 else 4)
        kept = int(np.count_nonzero(bits))
        cost = _entropy_bits(bits.size, kept) + min(element_bytes, 3) * _entropy_bits(kept * unit, nonzero)
        if cost < best_cost:
            best, best_cost = unit, cost
    return best


def _entropy_bits(n: int, k: int) -> float:
    """Bits that tell which k of n things are meant, at least, were they drawn by chance."""
    return 0.0 if k in (0, n) else -(k * math.log2(k / n) + (n - k) * math.log2(1 - k / n))
