"""The container: header, directory and frames, as docs/FORMAT.md has them."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import xxhash

from sparsetool_converters.codec.errors import require
from sparsetool_converters.codec.regions import Region, read_region
from sparsetool_converters.codec.varints import VarintReader, varint

MAGIC = b"TFLZ"
VERSION = 1
HEADER = struct.Struct("<4sB3xQQQI")
CHECKSUM = struct.Struct("<I")


@dataclass(frozen=True, kw_only=True)
class Range:
    """A stretch of the output that a region fills."""

    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A region and its frames, one for each stream; empty for a stream of no bytes.

    Attributes:
        region: what the directory says of it.
        frames: memoryviews of the container, or bytes that are to go into one.
    """

    region: Region
    frames: Sequence[bytes | memoryview]


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container taken apart. Its directory holds; its frames were not looked into.

    Attributes:
        output_bytes: size of the output.
        output_hash: XXH64 of the output.
        ranges: what regions fill, ascending.
        literal: the frame of all other bytes, empty where there are none.
        regions: the regions.
    """

    output_bytes: int
    output_hash: int
    ranges: Sequence[Range]
    literal: bytes | memoryview
    regions: Sequence[Packed]

    def literal_pieces(self) -> list[Range]:
        """The stretches of the output between the ranges, without empty ones."""
        starts = [0, *(r.end for r in self.ranges)]
        ends = [*(r.start for r in self.ranges), self.output_bytes]
        return [Range(start=a, length=b - a) for a, b in zip(starts, ends, strict=True) if b > a]

    def to_bytes(self) -> bytes:
        """The whole container."""
        directory = bytearray(varint(len(self.ranges)))
        at = 0
        for r in self.ranges:
            directory += varint(r.start - at) + varint(r.length)
            at = r.end
        directory += varint(len(self.literal)) + varint(len(self.regions))
        for packed in self.regions:
            directory += packed.region.directory_entry([len(frame) for frame in packed.frames])
        frames = [self.literal, *(frame for packed in self.regions for frame in packed.frames)]
        total = HEADER.size + len(directory) + CHECKSUM.size + sum(len(frame) for frame in frames)
        header = HEADER.pack(MAGIC, VERSION, total, self.output_bytes, self.output_hash, len(directory))
        checksum = CHECKSUM.pack(xxhash.xxh64_intdigest(header + directory) & 0xFFFFFFFF)
        return b"".join([header, directory, checksum, *frames])


def read_container(data: bytes | bytearray | memoryview, *, max_output_bytes: int) -> Container:
    """Take a container apart and check all that can be checked without its frames. Nothing of its sizes is allocated.

    Raises:
        WireFormatError: it is not whole and sound, of another version, or its output is larger than allowed.
    """
    view = memoryview(data).cast("B")
    require(len(view) >= HEADER.size + CHECKSUM.size, f"{len(view)} bytes are too few for a container")
    magic, version, total, output_bytes, output_hash, directory_bytes = HEADER.unpack_from(view)
    require(magic == MAGIC, f"begins with {magic!r}, not {MAGIC!r}")
    require(version == VERSION, f"has version {version}; only version {VERSION} is known")
    require(view[5:8] == bytes(3), "has bits set in its header that mean nothing in this version")
    require(total == len(view), f"should have {total:,} bytes and has {len(view):,}")
    require(
        output_bytes <= max_output_bytes, f"declares {output_bytes:,} bytes, more than the {max_output_bytes:,} allowed"
    )
    behind = HEADER.size + directory_bytes + CHECKSUM.size
    require(behind <= len(view), f"has a directory of {directory_bytes:,} bytes, more than there are")
    directory_end = HEADER.size + directory_bytes
    (checksum,) = CHECKSUM.unpack_from(view, directory_end)
    require(
        xxhash.xxh64_intdigest(view[:directory_end]) & 0xFFFFFFFF == checksum,
        "has a damaged directory: its checksum differs",
    )
    return _read_directory(view[HEADER.size : directory_end], view[behind:], output_bytes, output_hash)


def _read_directory(directory: memoryview, frames: memoryview, output_bytes: int, output_hash: int) -> Container:
    read = VarintReader(directory)
    ranges: list[Range] = []
    at = 0
    for _ in range(read()):
        start = at + read()
        length = read()
        require(length >= 1 and start + length <= output_bytes, "has a range that is empty or outside of the output")
        at = start + length
        ranges.append(Range(start=start, length=length))
    literal_bytes = read()
    found: list[tuple[Region, tuple[int, ...]]] = []
    unused = set(range(len(ranges)))
    for _ in range(read()):
        region, sizes = read_region(read)
        for number, length in region.range_lengths():
            require(number in unused, "has a region whose range there is not, or that another fills")
            unused.remove(number)
            require(ranges[number].length == length, f"has a range of {ranges[number].length:,} bytes for {length:,}")
        found.append((region, sizes))
    require(not unused, f"has {len(unused):,} ranges that nothing fills")
    require(read.left == 0, f"has {read.left:,} bytes behind its directory")
    all_bytes = literal_bytes + sum(sum(sizes) for _, sizes in found)
    require(all_bytes == len(frames), f"has {len(frames):,} bytes of frames, and its directory tells of {all_bytes:,}")
    require(
        (literal_bytes == 0) == (sum(r.length for r in ranges) == output_bytes),
        "has literal bytes without a frame, or a frame without such",
    )
    at = literal_bytes
    regions = []
    for region, sizes in found:
        parts = []
        for size in sizes:
            parts.append(frames[at : at + size])
            at += size
        regions.append(Packed(region=region, frames=parts))
    return Container(
        output_bytes=output_bytes,
        output_hash=output_hash,
        ranges=ranges,
        literal=frames[:literal_bytes],
        regions=regions,
    )
