"""A region of the wire format: a tensor, or a part of one, in streams; what is said of it in the directory.

The fields are those of docs/FORMAT.md, in its order and its words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from sparsetool_converters.codec.errors import require
from sparsetool_converters.codec.varints import VarintReader, varint

MAX_PLACES = 2**31 - 1
MAX_ROWS = 2**20  # decoders sort them, which takes memory
MAX_UNIT = 2**16
MAX_REGION_BYTES = 2**25  # of its ranges, and of its streams
MOST_STREAM_BYTES_PER_BYTE = 8
LIST_LIMIT = 256


class Places(IntEnum):
    """How it is told which units are kept."""

    ALL = 0
    GAPS = 1
    MASK = 2


class Coding(IntEnum):
    """How the values of kept units are sent."""

    PLAIN = 0
    PLANES = 1
    TURNED = 2
    LIST = 3


@dataclass(frozen=True, kw_only=True)
class Index:
    """The two vectors of a sparse tensor that follow from its places.

    Attributes:
        columns: units in a row of the index.
        first: kept units before this region.
        indices_range: number of the range with the indices.
        index_bytes: bytes of an index.
        segments_range: number of the range with the segments.
        segment_bytes: bytes of a segment.
    """

    columns: int
    first: int
    indices_range: int
    index_bytes: int
    segments_range: int
    segment_bytes: int


@dataclass(frozen=True, kw_only=True)
class Region:
    """What the directory says of one region, checked in itself; ranges are not looked up yet.

    Attributes:
        places: how it is told which units are kept.
        coding: how their values are sent.
        element_bytes: 1, 2, 4 or 8.
        unit: elements in a unit.
        rows: rows of units.
        columns: units in a row.
        kept: units that are kept.
        values_range: number of the range with the values.
        index: of a region in encoded form, else None.
    """

    places: Places
    coding: Coding
    element_bytes: int
    unit: int
    rows: int
    columns: int
    kept: int
    values_range: int
    index: Index | None = None

    def __post_init__(self) -> None:
        require(self.element_bytes in (1, 2, 4, 8), f"elements have 1, 2, 4 or 8 bytes, not {self.element_bytes}")
        require(1 <= self.unit <= MAX_UNIT, f"a unit has 1 to {MAX_UNIT:,} elements, not {self.unit:,}")
        require(
            1 <= self.rows <= MAX_ROWS and self.columns >= 1 and self.rows * self.columns <= MAX_PLACES,
            f"a region has 1 to {MAX_ROWS:,} rows and 1 to {MAX_PLACES:,} places, not {self.rows:,} times "
            f"{self.columns:,}",
        )
        require(
            self.rows == 1 or self.places is Places.GAPS,
            f"only gaps come in rows, and a region without has {self.rows:,}",
        )
        units = self.rows * self.columns
        require(
            self.kept == units if self.places is Places.ALL else self.kept <= units,
            f"{self.kept:,} of {units:,} units cannot be kept",
        )
        if self.index is not None:
            self._check_index(self.index)

    def _check_index(self, index: Index) -> None:
        require(self.kept >= 1, "a region in encoded form keeps at least one unit")
        require(
            index.columns >= 1 and self.columns % index.columns == 0,
            f"{index.columns:,} columns of an index do not divide {self.columns:,}",
        )
        require(
            index.index_bytes in (1, 2, 4) and index.segment_bytes in (1, 2, 4),
            f"numbers of an index have 1, 2 or 4 bytes, not {index.index_bytes} and {index.segment_bytes}",
        )
        require(
            index.first + self.kept <= MAX_PLACES,
            f"an index counts {MAX_PLACES:,} units at most, not {index.first + self.kept:,}",
        )

    @property
    def unit_bytes(self) -> int:
        return self.unit * self.element_bytes

    @property
    def kept_elements(self) -> int:
        return self.kept * self.unit

    @property
    def count_bytes(self) -> int:
        """Bytes of the number of units that a row keeps."""
        return next(width for width in (1, 2, 4) if self.columns < 256**width)

    @property
    def n_place_streams(self) -> int:
        return {Places.ALL: 0, Places.GAPS: 1 + (self.rows > 1), Places.MASK: 1}[self.places]

    @property
    def n_value_streams(self) -> int:
        return {Coding.PLAIN: 1, Coding.LIST: 2}.get(self.coding, self.element_bytes)

    def range_lengths(self) -> list[tuple[int, int]]:
        """Number and length of each range that the region fills."""
        if self.index is None:
            return [(self.values_range, self.rows * self.columns * self.unit_bytes)]
        index_rows = self.rows * self.columns // self.index.columns
        return [
            (self.values_range, self.kept * self.unit_bytes),
            (self.index.indices_range, self.kept * self.index.index_bytes),
            (self.index.segments_range, index_rows * self.index.segment_bytes),
        ]

    def check_contents(self, sizes: Sequence[int]) -> None:
        """Refuse sizes of contents that are not those of the region's streams.

        Raises:
            WireFormatError: a size is wrong, or all together are too many.
        """
        places, values = sizes[: self.n_place_streams], sizes[self.n_place_streams :]
        expected: list[int] = [self.kept_elements] * self.n_value_streams
        if self.coding is Coding.PLAIN:
            expected = [self.kept * self.unit_bytes]
        elif self.coding is Coding.LIST:
            entries, rest = divmod(values[0], self.element_bytes)
            require(
                rest == 0 and (1 <= entries <= LIST_LIMIT if self.kept else entries == 0),
                f"a list of {values[0]:,} bytes does not hold 1 to {LIST_LIMIT} elements of {self.element_bytes}",
            )
            expected[0] = values[0]
        counts_or_mask = (
            [self.rows * self.count_bytes] if self.rows > 1 else [-(-self.columns // 8)] * (self.places is Places.MASK)
        )
        found = [*values, *places[: len(counts_or_mask)]]
        expected += counts_or_mask
        require(found == expected, f"streams of {_brief(found)} bytes should have {_brief(expected)}")
        if self.places is Places.GAPS:
            least, gaps = self.kept, places[-1]
            require(gaps >= least and (gaps == 0 or least > 0), f"{gaps:,} bytes of gaps lead to no {least:,} units")
        room = sum(length for _, length in self.range_lengths())
        require(
            room <= MAX_REGION_BYTES and sum(sizes) <= min(MAX_REGION_BYTES, MOST_STREAM_BYTES_PER_BYTE * room),
            f"streams of {sum(sizes):,} bytes are too many for {room:,} bytes of output",
        )

    def directory_entry(self, frame_bytes: Sequence[int]) -> bytes:
        """The fields as they stand in the directory, then the sizes of the frames."""
        fields = [
            int(self.index is not None),
            int(self.places),
            int(self.coding),
            self.element_bytes,
            self.unit,
            self.rows,
            self.columns,
            self.kept,
            self.values_range,
        ]
        if self.index is not None:
            fields += [
                self.index.columns,
                self.index.first,
                self.index.indices_range,
                self.index.index_bytes,
                self.index.segments_range,
                self.index.segment_bytes,
            ]
        return b"".join(varint(number) for number in [*fields, *frame_bytes])


def read_region(read: VarintReader) -> tuple[Region, tuple[int, ...]]:
    """One region of a directory, and the sizes of its frames.

    Raises:
        WireFormatError: a field has a value that is none, or contradicts another.
    """
    form, places, coding = read(), read(), read()
    require(form <= 1, f"a region's form is 0 or 1, not {form:,}")
    require(places in tuple(Places), f"places are told in ways 0 to 2, not {places:,}")
    require(coding in tuple(Coding), f"values are sent in codings 0 to 3, not {coding:,}")
    element_bytes, unit, rows, columns, kept, values_range = (read() for _ in range(6))
    index = None
    if form == 1:
        index_columns, first, indices_range, index_bytes, segments_range, segment_bytes = (read() for _ in range(6))
        index = Index(
            columns=index_columns,
            first=first,
            indices_range=indices_range,
            index_bytes=index_bytes,
            segments_range=segments_range,
            segment_bytes=segment_bytes,
        )
    region = Region(
        places=Places(places),
        coding=Coding(coding),
        element_bytes=element_bytes,
        unit=unit,
        rows=rows,
        columns=columns,
        kept=kept,
        values_range=values_range,
        index=index,
    )
    return region, tuple(read() for _ in range(region.n_place_streams + region.n_value_streams))


def _brief(sizes: Sequence[int]) -> str:
    return ", ".join(f"{size:,}" for size in sizes)
