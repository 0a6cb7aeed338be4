"""A container says what it is; one that contradicts itself is refused before anything is allocated."""

import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import xxhash
import zstandard

from sparsetool_converters.codec import WireFormatError, pack, unpack
from sparsetool_converters.codec.container import Container, Packed, Range
from sparsetool_converters.codec.frames import frame
from sparsetool_converters.codec.regions import Coding, Index, Places, Region
from sparsetool_converters.codec.varints import VarintReader, varint

OUTPUT = bytes(10) + b"\7" + bytes(5)
GAPS = Region(
    places=Places.GAPS, coding=Coding.PLAIN, element_bytes=1, unit=1, rows=1, columns=8, kept=1, values_range=0
)


def container(**changes: object) -> bytes:
    """4 literal bytes, 8 of a region that keeps one unit, 4 more literal bytes; something in it changed."""
    sound = Container(
        output_bytes=len(OUTPUT),
        output_hash=xxhash.xxh64_intdigest(OUTPUT),
        ranges=[Range(start=4, length=8)],
        literal=frame(bytes(8), 1),
        regions=[Packed(region=GAPS, frames=[frame(b"\6", 1), frame(b"\7", 1)])],
    )
    return replace(sound, **changes).to_bytes()  # type: ignore[arg-type]


def region(frames: tuple[bytes, ...] = (frame(b"\6", 1), frame(b"\7", 1)), **changes: object) -> list[Packed]:
    return [Packed(region=replace(GAPS, **changes), frames=frames)]  # type: ignore[arg-type]


def refused(data: bytes, problem: str, **options: int) -> None:
    with pytest.raises(WireFormatError, match=problem):
        unpack(data, **options)  # type: ignore[arg-type]


def test_the_sound_container_unpacks() -> None:
    assert unpack(container()) == OUTPUT


@pytest.mark.parametrize("data", [b"", b"TFLZ", b"x" * 100, container()[:-1], container() + b"x"])
def test_what_is_no_whole_container_is_refused(data: bytes) -> None:
    refused(data, "container: ")


def test_another_version_is_refused() -> None:
    refused(container().replace(b"TFLZ\1", b"TFLZ\2", 1), "only version 1 is known")


def test_bits_that_mean_nothing_are_refused() -> None:
    refused(container().replace(b"TFLZ\1\0", b"TFLZ\1\1", 1), "mean nothing in this version")


def test_a_directory_that_was_damaged_is_refused() -> None:
    damaged = bytearray(container())
    damaged[37] ^= 1
    refused(bytes(damaged), "damaged directory")


def test_output_that_was_damaged_is_refused() -> None:
    refused(container(literal=frame(bytes(7) + b"\1", 1)), "the checksum differs")


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_a_terabyte_is_refused_before_anything_is_allocated() -> None:
    declared = container(output_bytes=2**40, ranges=[], regions=[])
    with little_memory():
        refused(declared, "declares 1,099,511,627,776 bytes, more than the")
        refused(declared, "literal bytes for 1,099,511,627,776", max_output_bytes=2**41)


def test_a_frame_that_declares_too_much_is_refused_before_it_is_unpacked() -> None:
    large = frame(np.zeros(2**24, np.uint8), 1)
    with little_memory():
        refused(container(regions=region((large, frame(b"\7", 1)))), "are too many for 8 bytes")
        refused(container(regions=region((frame(b"\6", 1), large))), "should have 1")


def test_output_larger_than_allowed_is_refused() -> None:
    refused(container(), "more than the 15 allowed", max_output_bytes=15)
    assert unpack(container(), max_output_bytes=16) == OUTPUT


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"ranges": [Range(start=10, length=8)]}, "outside of the output"),
        ({"ranges": [Range(start=4, length=4), Range(start=8, length=4)]}, "range of 4 bytes for 8"),
        ({"ranges": [Range(start=0, length=4), Range(start=4, length=8)]}, "range of 4 bytes for 8"),
        ({"ranges": [Range(start=4, length=8), Range(start=12, length=4)]}, "1 ranges that nothing fills"),
        ({"regions": region() + region()}, "or that another fills"),
        ({"regions": region(values_range=1)}, "whose range there is not"),
        ({"regions": []}, "1 ranges that nothing fills"),
        ({"literal": b""}, "literal bytes without a frame"),
        ({"literal": frame(bytes(9), 1)}, "has 9 literal bytes for 8"),
        ({"literal": b"no frame"}, "a frame that is none"),
        ({"regions": region((b"", frame(b"\7", 1)))}, "lead to no 1 units"),
        ({"regions": region((frame(b"\6", 1), b""))}, "streams of 0 bytes should have 1"),
        ({"regions": region((frame(b"\x08", 1), frame(b"\7", 1)))}, "beyond the 8 of its row"),
    ],
)
def test_a_container_that_contradicts_itself_is_refused(changes: dict[str, object], problem: str) -> None:
    refused(container(**changes), problem)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"element_bytes": 3}, "1, 2, 4 or 8 bytes, not 3"),
        ({"unit": 0}, "1 to 65,536 elements, not 0"),
        ({"unit": 2**16 + 1}, "not 65,537"),
        ({"rows": 2**16, "columns": 2**15}, "not 65,536 times 32,768"),
        ({"rows": 0}, "not 0 times 8"),
        ({"places": Places.MASK, "rows": 2}, "only gaps come in rows"),
        ({"places": Places.ALL}, "1 of 8 units cannot be kept"),
        ({"kept": 9}, "9 of 8 units cannot be kept"),
    ],
)
def test_a_region_that_contradicts_itself_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(WireFormatError, match=problem):
        replace(GAPS, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"columns": 3}, "3 columns of an index do not divide 8"),
        ({"columns": 0}, "0 columns"),
        ({"index_bytes": 3}, "not 3 and 1"),
        ({"first": 2**31 - 1, "segment_bytes": 4}, "2,147,483,647 units at most, not 2,147,483,648"),
    ],
)
def test_an_index_that_contradicts_its_region_is_refused(changes: dict[str, int], problem: str) -> None:
    index = Index(columns=8, first=0, indices_range=1, index_bytes=1, segments_range=2, segment_bytes=1)
    assert replace(GAPS, index=index).index == index
    with pytest.raises(WireFormatError, match=problem):
        replace(GAPS, index=replace(index, **changes))


def test_frames_without_checksum_or_size_are_refused() -> None:
    for options in ({"write_checksum": False}, {"write_content_size": False, "write_checksum": True}):
        literal = zstandard.ZstdCompressor(**options).compress(bytes(8))
        refused(container(literal=literal), "without content size, content or checksum")


def test_a_frame_with_bytes_behind_it_is_refused() -> None:
    refused(container(literal=frame(bytes(8), 1) + b"x"), "damaged frame")


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32, 2**64 - 1])
def test_numbers_come_back(number: int) -> None:
    read = VarintReader(memoryview(varint(number) + b"\1"))
    assert (read(), read.left) == (number, 1)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9 + b"\2", b"\x80" * 10 + b"\1"])
def test_numbers_without_end_or_too_large_are_refused(data: bytes) -> None:
    with pytest.raises(WireFormatError):
        VarintReader(memoryview(data))()


def test_header_is_as_long_as_the_document_says() -> None:
    assert struct.calcsize("<4sB3xQQQI") == 36
    assert pack(b"")[:8] == b"TFLZ\1\0\0\0"
