"""Containers made by hand: sound ones, and one for each rule of docs/FORMAT.md that breaks this rule and no other.

Both decoders must take the sound ones and refuse the others. They are written from the document alone, without the
packer, so that a rule that the packer keeps by its structure can be broken, too.
"""

import struct
from typing import Any

import xxhash
import zstandard

Fields = dict[str, Any]

HEAD, TAIL = b"head", b"tail"
DENSE = bytes((0, 5, 0, 7, 0, 0, 0, 9))
PARTS = (bytes((5, 7, 9)), bytes((1, 3, 3)), bytes((2, 3)))  # values, indices, segments
REGION: Fields = {
    "form": 0,
    "places": 1,
    "coding": 0,
    "element_bytes": 1,
    "unit": 1,
    "rows": 2,
    "columns": 4,
    "kept": 3,
    "values_range": 0,
}
INDEX: Fields = {
    "index_columns": 4,
    "first": 0,
    "indices_range": 1,
    "index_bytes": 1,
    "segments_range": 2,
    "segment_bytes": 1,
}
ENCODED = {**REGION, "form": 1, **INDEX}
COUNTS, GAPS, VALUES = bytes((2, 1)), bytes((3, 1, 1)), bytes((9, 5, 7))
STREAMS = (COUNTS, GAPS, VALUES)


def frame(content: bytes) -> bytes:
    """One frame, nothing for no content."""
    compressor = zstandard.ZstdCompressor(level=1, write_checksum=True, write_content_size=True)
    return compressor.compress(content) if content else b""


def raw_frame(content: bytes, *, window: int = 13 << 3, dictionary: int = 0, spare: int = 0) -> bytes:
    """One frame of one block that is not compressed, RFC 8878, 3.1.1; `window` is its descriptor."""
    head = struct.pack("<IBB", 0xFD2FB528, 2 << 6 | 1 << 2 | spare | (dictionary > 0), window)
    head += bytes([dictionary] * (dictionary > 0)) + struct.pack("<I", len(content))
    block = (len(content) << 3 | 1).to_bytes(3, "little") + content
    return head + block + struct.pack("<I", xxhash.xxh64_intdigest(content) & 0xFFFFFFFF)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(0x80 | number & 0x7F)
        number >>= 7
    return bytes([*out, number])


def assembled(directory: bytes, frames: bytes, output: bytes, **header: int) -> bytes:
    """The container of a directory and its frames; `header` has fields that are to be wrong."""
    values = {
        "version": 1,
        "spare": 0,
        "size": 40 + len(directory) + len(frames),
        "output_size": len(output),
        "output_hash": xxhash.xxh64_intdigest(output),
        "directory_size": len(directory),
        **header,
    }
    head = struct.pack(
        "<4sB3sQQQI", b"TFLZ", values["version"], values["spare"].to_bytes(3, "little"), *list(values.values())[2:6]
    )
    checksum = xxhash.xxh64_intdigest(head + directory) & 0xFFFFFFFF ^ header.get("damage", 0)
    return head + directory + struct.pack("<I", checksum) + frames


def one_region(
    region: Fields, streams: tuple[bytes, ...], output: bytes, lengths: tuple[int, ...], **changes: Any
) -> bytes:
    """A container of one region whose ranges lie one behind the other between HEAD and TAIL.

    Args:
        region: its fields, in their order.
        streams: their contents.
        output: what the ranges hold.
        lengths: of the ranges.
        changes: `ranges`, `literal`, `frames`, `n_ranges`, `n_regions`, `behind` replace what follows from the rest;
            the others go to the header.
    """
    ranges = changes.pop("ranges", [(len(HEAD) if n == 0 else 0, length) for n, length in enumerate(lengths)])
    literal = changes.pop("literal", frame(HEAD + TAIL))
    frames = changes.pop("frames", tuple(frame(stream) for stream in streams))
    numbers = [changes.pop("n_ranges", len(ranges)), *(number for pair in ranges for number in pair), len(literal)]
    numbers += [changes.pop("n_regions", 1), *region.values(), *map(len, frames)]
    directory = b"".join(map(varint, numbers)) + changes.pop("behind", b"")
    return assembled(directory, literal + b"".join(frames), HEAD + output + TAIL, **changes)


def dense(streams: tuple[bytes, ...] = STREAMS, output: bytes = DENSE, /, **changes: Any) -> bytes:
    """The dense region of the document's example with some fields changed."""
    region = {name: changes.pop(name, value) for name, value in REGION.items()}
    return one_region(region, streams, output, (len(output),), **changes)


def encoded(streams: tuple[bytes, ...] = STREAMS, parts: tuple[bytes, ...] = PARTS, /, **changes: Any) -> bytes:
    """The encoded region of the document's example with some fields changed."""
    region = {name: changes.pop(name, value) for name, value in ENCODED.items()}
    return one_region(region, streams, b"".join(parts), tuple(map(len, parts)), **changes)


def empty_rows(rows: int) -> bytes:
    """A dense region of rows of one unit each, of which none is kept."""
    return dense((bytes(rows), b"", b""), bytes(rows), rows=rows, columns=1, kept=0)


def mask(bits: int = 0x8A, **changes: Any) -> bytes:
    """The same dense tensor with a mask."""
    return dense((bytes([bits]), bytes((5, 7, 9))), **{"places": 2, "rows": 1, "columns": 8, **changes})


def listed(entries: bytes = bytes((5, 7, 9)), choices: bytes = bytes((2, 0, 1)), **changes: Any) -> bytes:
    """The same dense tensor with a list."""
    return dense((COUNTS, GAPS, entries, choices), **{"coding": 3, **changes})


def without_region(output: bytes, literal: bytes, **header: int) -> bytes:
    return assembled(b"\0" + varint(len(literal)) + b"\0", literal, output, **header)


def sound_containers() -> dict[str, tuple[bytes, bytes]]:
    """Container and output."""
    whole = HEAD + DENSE + TAIL
    far = bytes(600) + b"\1" + bytes(99)
    row = {"rows": 1, "columns": 700, "kept": 1}
    return {
        "dense": (dense(), whole),
        "encoded": (encoded(), HEAD + b"".join(PARTS) + TAIL),
        "mask": (mask(), whole),
        "list": (listed(), whole),
        "nothing": (without_region(b"", b""), b""),
        "literal": (without_region(b"x", frame(b"x")), b"x"),
        "as many rows as there may be": (empty_rows(2**20), HEAD + bytes(2**20) + TAIL),
        "none kept": (dense((bytes(2), b"", b""), bytes(8), kept=0), HEAD + bytes(8) + TAIL),
        "a gap with escapes": (dense((b"\xff\xff\x5a", b"\1"), far, **row), HEAD + far + TAIL),
        "frames that are not compressed": (dense(frames=tuple(map(raw_frame, STREAMS))), whole),
        "an index in fewer bytes than it needs": (
            encoded(STREAMS, (PARTS[0], PARTS[1], bytes((1, 2))), first=255),
            HEAD + PARTS[0] + PARTS[1] + bytes((1, 2)) + TAIL,
        ),
        "a number in more bytes than it needs": (
            assembled(b"\x80\0" + varint(len(frame(b"x"))) + b"\0", frame(b"x"), b"x"),
            b"x",
        ),
    }


def broken_containers() -> dict[str, bytes]:
    """A container for each rule."""
    sound = dense()
    literal = frame(HEAD + TAIL)
    no_checksum = zstandard.ZstdCompressor(write_checksum=False).compress(HEAD + TAIL)
    no_size = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(HEAD + TAIL)
    damaged = bytearray(literal)
    damaged[-1] ^= 1
    large = {"rows": 1, "columns": 2**25 + 1, "kept": 0}
    return {
        "magic": b"TFLX" + sound[4:],
        "version": dense(version=2),
        "spare bytes": dense(spare=1 << 16),
        "container too short": sound[:-1],
        "container too long": sound + b"\0",
        "header cut off": sound[:35],
        "version cut off": sound[:5],
        "directory longer than the container": dense(directory_size=2**31),
        "directory checksum": dense(damage=1),
        "output hash": dense(output_hash=0),
        "a terabyte": without_region(b"", b"", output_size=2**40),
        "varint of 11 bytes": assembled(b"\x80" * 10 + b"\0" + varint(len(literal)) + b"\0", literal, HEAD + TAIL),
        "varint of 2^64": assembled(b"\x80" * 9 + b"\2" + varint(len(literal)) + b"\0", literal, HEAD + TAIL),
        "directory ends in a number": assembled(b"\0" + varint(len(literal)) + b"\x80", literal, HEAD + TAIL),
        "bytes behind the directory": dense(behind=b"\0"),
        "more ranges than there are": dense(n_ranges=2),
        "2^63 ranges": dense(n_ranges=2**63),
        "more regions than there are": dense(n_regions=2),
        "no region for a range": dense(n_regions=0),
        "empty range": dense(ranges=[(4, 8), (0, 0)]),
        "range outside of the output": dense(ranges=[(9, 8)]),
        "range that starts at 2^64": dense(ranges=[(2**64 - 1, 8)]),
        "range that nothing fills": dense(ranges=[(4, 8), (0, 4)], literal=frame(HEAD)),
        "range that is not there": dense(values_range=1),
        "range filled twice": encoded(segments_range=1, indices_range=1),
        "range of another length": dense(ranges=[(4, 7)], literal=frame(HEAD + TAIL + b"x")),
        "literal bytes without a frame": dense(literal=b""),
        "too few literal bytes": dense(literal=frame(HEAD)),
        "too many literal bytes": dense(literal=frame(HEAD + TAIL + b"x")),
        "frames longer than the container": without_region(b"x", frame(b"x") + b"x"),
        "form": dense(form=2),
        "places": dense(places=3),
        "coding": dense(coding=4),
        "element bytes 0": dense(element_bytes=0),
        "element bytes 3": dense(element_bytes=3),
        "element bytes 16": dense(element_bytes=16),
        "unit 0": dense(unit=0),
        "unit too large": dense(unit=2**16 + 1),
        "rows 0": dense(rows=0),
        "too many rows": empty_rows(2**20 + 1),
        "columns 0": dense(columns=0),
        "too many places": dense(rows=2**16, columns=2**15),
        "rows of a mask": mask(rows=2, columns=4),
        "kept too many": dense(kept=9),
        "all, but not all kept": dense((bytes(7),), places=0, rows=1, columns=8, kept=7),
        "encoded without units": encoded((bytes(2), b"", b""), kept=0),
        "index columns 0": encoded(index_columns=0),
        "index columns that do not divide": encoded(index_columns=3),
        "index bytes": encoded(index_bytes=3),
        "index bytes 8": encoded(index_bytes=8),
        "segment bytes": encoded(segment_bytes=3),
        "first too large": encoded(first=2**31 - 3),
        "indices of another length": encoded(index_bytes=2),
        "segments of another length": encoded(segment_bytes=2),
        "region too large": dense((b"", b""), bytes(2**25 + 1), **large),
        "streams too large": dense((b"\xff" * 65 + b"\0", b"\1"), DENSE, rows=1, columns=8, kept=1),
        "no frame": dense(literal=b"no frame at all"),
        "frame without checksum": dense(literal=no_checksum),
        "frame without size": dense(literal=no_size),
        "frame of nothing": dense(
            (bytes(2), b"", b""), bytes(8), kept=0, frames=(frame(bytes(2)), raw_frame(b""), b"")
        ),
        "frame with a dictionary": dense(literal=raw_frame(HEAD + TAIL, dictionary=7)),
        "frame with a large window": dense(literal=raw_frame(HEAD + TAIL, window=13 << 3 | 1)),
        "frame with bits that are reserved": dense(literal=raw_frame(HEAD + TAIL, spare=8)),
        "frame with another checksum": dense(literal=bytes(damaged)),
        "frame that is cut off": dense(literal=literal[:-5]),
        "bytes behind a frame": dense(literal=literal + b"x"),
        "two frames": dense(literal=frame(HEAD) + frame(TAIL)),
        "too few counts": dense((b"\2", GAPS, VALUES)),
        "count over columns": dense((b"\5\0", b"\0" * 5, bytes(5)), kept=5),
        "counts over kept": dense((b"\3\1", GAPS, VALUES)),
        "counts under kept": dense((b"\1\1", GAPS, VALUES)),
        "too few gaps": dense((COUNTS, b"\3\1", VALUES)),
        "too few gaps, one with an escape": dense((b"\xff\5", b"\1\1"), bytes(700), rows=1, columns=700, kept=2),
        "too many gaps": dense((COUNTS, b"\3\1\1\0", VALUES)),
        "gaps that end in an escape": dense((COUNTS, b"\3\1\xff", VALUES)),
        "gap beyond the row": dense((COUNTS, b"\4\1\1", VALUES)),
        "gap with escapes beyond the row": dense((COUNTS, b"\xff\0\1\1", VALUES)),
        "gaps where none is kept": dense((bytes(2), b"\0", b""), bytes(8), kept=0),
        "mask too long": dense((b"\x8a\0", bytes((5, 7, 9))), places=2, rows=1, columns=8),
        "mask of fewer units": mask(0x0A),
        "mask of more units": mask(0x8B),
        "mask with bits behind the last": dense(
            (b"\x0a\x02", bytes((5, 7))), bytes((0, 5, 0, 7, 0, 0, 0, 0, 0)), places=2, rows=1, columns=9, kept=2
        ),
        "too few values": dense((COUNTS, GAPS, b"\5\7")),
        "too many values": dense((COUNTS, GAPS, b"\5\7\x09\1")),
        "planes of other lengths": dense((COUNTS, GAPS, b"\1\2\3", b"\1\2"), bytes(16), element_bytes=2, coding=1),
        "choice that is not in the list": listed(choices=bytes((2, 0, 3))),
        "list without elements": listed(entries=b""),
        "list of too many": listed(entries=bytes(257)),
        "list of half an element": dense((COUNTS, GAPS, b"\1\2\3", bytes(3)), bytes(16), element_bytes=2, coding=3),
        "list where none is kept": dense((bytes(2), b"", b"\1", b""), bytes(8), kept=0, coding=3),
        "region whose range is taken": dense(n_regions=2, behind=b"".join(map(varint, REGION.values())) + bytes(3)),
    }
