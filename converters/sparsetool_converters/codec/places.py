"""Places of kept units: to and from gaps in rows, and masks.

places in 2 rows of 4    counts  2 1      row 1 is sent before row 0, since it keeps fewer
. x . x                  gaps    3  1 1
. . . x                  sent    2  0 1   (which of the three, counted from left to right and downwards)
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparsetool_converters.codec.errors import require

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.integer]

ESCAPE = 255
_SLICE_BYTES = 2**19  # of gaps, decoded at a time: what numpy needs besides stays small, and in the cache


@dataclass(frozen=True, kw_only=True, eq=False)
class SentPlaces:
    """Places as gaps in rows.

    Attributes:
        counts: content of that stream, empty where there is one row.
        gaps: content of that stream.
        sent: for each unit that is sent, its number among the kept ones in order of places; None if that is the order.
    """

    counts: Bytes
    gaps: Bytes
    sent: Numbers | None


def to_gaps(places: npt.NDArray[np.int32], rows: int, columns: int) -> SentPlaces:
    """Places, ascending, as gaps.

    Args:
        places: int32, ascending, from 0 to rows * columns - 1.
        rows: rows of units.
        columns: units in a row.
    """
    if rows == 1:
        gaps = np.diff(places, prepend=np.int32(-1)) - np.int32(1)
        return SentPlaces(counts=np.zeros(0, np.uint8), gaps=_with_escapes(gaps), sent=None)
    starts = np.searchsorted(places, np.arange(rows + 1, dtype=np.int64) * columns).astype(np.int32)
    counts = np.diff(starts)
    order = np.argsort(counts, kind="stable")
    sorted_counts = counts[order]
    first = np.zeros(rows, np.int32)  # of each row that is sent: number of its first unit among those sent
    np.cumsum(sorted_counts[:-1], out=first[1:])
    sent = np.arange(places.size, dtype=np.int32)
    sent += np.repeat(starts[:-1][order] - first, sorted_counts)
    in_row = places[sent]
    in_row -= np.repeat((order * columns).astype(np.int32), sorted_counts)
    gaps = np.diff(in_row, prepend=np.int32(-1)) - np.int32(1)
    begun = first[sorted_counts > 0]
    gaps[begun] = in_row[begun]
    width = next(w for w in (1, 2, 4) if columns < 256**w)
    planes = counts.astype("<u4").view(np.uint8).reshape(rows, 4).T[:width]
    return SentPlaces(counts=np.ascontiguousarray(planes).reshape(-1), gaps=_with_escapes(gaps), sent=sent)


def _with_escapes(gaps: npt.NDArray[np.int32]) -> Bytes:
    if gaps.max(initial=0) < ESCAPE:
        return gaps.astype(np.uint8)
    escapes, rest = np.divmod(gaps, np.int32(ESCAPE))
    ends = np.cumsum(escapes + 1, dtype=np.int64) - 1
    out = np.full(int(ends[-1]) + 1, ESCAPE, np.uint8)
    out[ends] = rest
    return out


def read_counts(content: Bytes, rows: int, columns: int, kept: int) -> npt.NDArray[np.int64]:
    """How many units each row keeps, from the content of that stream.

    Raises:
        WireFormatError: a row keeps more than it has, or all together are not `kept`.
    """
    if rows == 1:
        return np.array([kept], np.int64)
    counts = np.zeros(rows, np.int64)
    for number, plane in enumerate(content.reshape(-1, rows)):
        counts += plane.astype(np.int64) << (8 * number)
    require(int(counts.max()) <= columns, f"a row of {columns:,} units keeps {int(counts.max()):,}")
    require(int(counts.sum()) == kept, f"rows keep {int(counts.sum()):,} units, and the region {kept:,}")
    return counts


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Some of the units that are sent.

    Attributes:
        first: number of the first of them among those sent.
        places: the places of these units.
        ranks: their numbers among the kept ones in order of places; None if they are sent in that order.
    """

    first: int
    places: Numbers
    ranks: Numbers | None


def from_gaps(gaps: Bytes, counts: npt.NDArray[np.int64], columns: int, *, ranked: bool) -> Iterator[Batch]:
    """The places that `to_gaps` sent, in batches.

    Args:
        gaps: content of that stream.
        counts: units that each row keeps, as `read_counts` gives them.
        columns: units in a row.
        ranked: whether ranks are wanted.

    Raises:
        WireFormatError: a unit lies beyond its row, or there are more or fewer of them than counted.
    """
    rows, kept = counts.size, int(counts.sum())
    if kept == 0:
        return
    require(int(gaps[-1]) != ESCAPE, "gaps end inside a number")
    order = np.argsort(counts, kind="stable") if rows > 1 else np.zeros(1, np.int64)
    sorted_counts = counts[order]
    ends = np.cumsum(sorted_counts)
    if ranked and rows > 1:
        starts = np.cumsum(counts) - counts
        rank_shift = starts[order] - (ends - sorted_counts)
    row_start = order * columns
    done = 0  # units
    at = -1  # all gaps and units so far, as if the rows had no ends
    row_at = 0  # the same where the row that the next unit is in began
    for begin in range(0, gaps.size, _SLICE_BYTES):
        part = gaps[begin : begin + _SLICE_BYTES]
        steps = part.astype(np.int64)
        if part.max() == ESCAPE:
            last_of_number = part != ESCAPE
            steps += last_of_number
            walked = np.cumsum(steps, out=steps)
            end_at = at + int(walked[-1])
            places = walked[last_of_number]
        else:
            steps += 1
            places = np.cumsum(steps, out=steps)
            end_at = at + int(places[-1])
        places += at
        n = places.size
        require(done + n <= kept, f"gaps lead to more than the {kept:,} units that are kept")
        if rows == 1:
            require(n == 0 or int(places[-1]) < columns, f"a unit lies beyond the {columns:,} of its row")
            yield Batch(first=done, places=places, ranks=None)
        elif n:
            low = int(np.searchsorted(ends, done, side="right"))
            high = int(np.searchsorted(ends, done + n, side="left")) + 1
            in_batch = np.minimum(ends[low:high], done + n)  # ends of the rows, or of what of them is here
            lengths = np.diff(in_batch, prepend=done)
            lasts = places[in_batch - done - 1]
            began = np.concatenate(([row_at], lasts[:-1] + 1))
            require(bool((lasts - began < columns).all()), f"a unit lies beyond the {columns:,} of its row")
            places += np.repeat(row_start[low:high] - began, lengths)
            ranks = None
            if ranked:
                ranks = np.arange(done, done + n) + np.repeat(rank_shift[low:high], lengths)
            row_at = int(lasts[-1]) + 1 if in_batch[-1] == ends[high - 1] else int(began[-1])
            yield Batch(first=done, places=places, ranks=ranks)
        done += n
        at = end_at
    require(done == kept, f"gaps lead to {done:,} of {kept:,} units")


def to_mask(places: npt.NDArray[np.int32], units: int) -> Bytes:
    """Places as one bit for each unit, the first in the lowest bit."""
    bits = np.zeros(units, np.uint8)
    bits[places] = 1
    return np.packbits(bits, bitorder="little")


def from_mask(mask: Bytes, units: int, kept: int) -> Iterator[Batch]:
    """The places that `to_mask` sent, in batches.

    Raises:
        WireFormatError: another number of units than `kept`, or bits behind the last.
    """
    require(units % 8 == 0 or int(mask[-1]) >> (units % 8) == 0, "a mask has bits behind its last unit")
    done = 0
    for begin in range(0, mask.size, _SLICE_BYTES // 8):
        places = np.flatnonzero(np.unpackbits(mask[begin : begin + _SLICE_BYTES // 8], bitorder="little"))
        places += 8 * begin
        require(done + places.size <= kept, f"a mask keeps more than {kept:,} units")
        yield Batch(first=done, places=places, ranks=None)
        done += places.size
    require(done == kept, f"a mask keeps {done:,} units, not {kept:,}")
