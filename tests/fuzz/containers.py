"""Damaged containers: by chance, but the same for the same number, and what is wrong with how one is unpacked.

Most damage is under a checksum, so the checksum is mended after it: what reads the container must hold without.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import xxhash
from cases import MOST_SECONDS, Kind, TooSlowError, memory_limit, time_limit, where
from round_trips import Effort, pack, unpack
from seed_models import SEED_MODELS
from tensor_files import tensor_file

from sparsetool_converters.codec import open as open_packed
from sparsetool_converters.codec.container import HEADER, Container, Packed, read_container
from sparsetool_converters.codec.frames import content, content_size, frame
from sparsetool_converters.codec.varints import VarintReader, varint
from sparsetool_converters.errors import SparseToolError

MOST_OUTPUT_BYTES = 10**7
FILES = 120  # of hard tensors
EXTREME = (0, 1, 2, 3, 127, 128, 254, 255, 256, 2**16, 2**24, 2**25, 2**31 - 1, 2**31, 2**32, 2**40, 2**63, 2**64 - 1)


@dataclass(frozen=True)
class Seed:
    """A sound container and what it unpacks to."""

    container: bytes
    output: bytes


@cache
def seeds() -> list[Seed]:
    files = [make() for make in SEED_MODELS.values()] + [tensor_file(n) for n in range(FILES)] + [b"", b"no model"]
    packed = [pack(data, effort=Effort.FAST) for data in files]
    return [
        Seed(container, data)
        for container, data in zip(packed, files, strict=True)
        if len(_taken_apart(container).regions) or len(data) < 10
    ]


def _taken_apart(container: bytes) -> Container:
    return read_container(container, max_output_bytes=MOST_OUTPUT_BYTES)


def container_number(number: int) -> tuple[bytes, bytes]:
    """The damaged container of that number, and the output of the sound one."""
    rng = np.random.default_rng(number)
    seed = seeds()[rng.integers(len(seeds()))]
    data = seed.container
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if len(data) < HEADER.size + 4:  # cut off: there is no more to damage
            break
        data = DAMAGES[rng.integers(len(DAMAGES))](data, rng)
    return data, seed.output


def container_complaints(number: int) -> list[str]:
    """What is wrong with how a damaged container is unpacked; empty if it gives the exact output or one clear error."""
    data, output = container_number(number)
    found = []
    for act in (unpack, read_alone):
        try:
            with time_limit(), memory_limit(len(data) + MOST_OUTPUT_BYTES):
                result = act(data, max_output_bytes=MOST_OUTPUT_BYTES)
                if result is not None and result != output and data[24:32] == hash_of(output):
                    found.append(f"{act.__name__}: gives other bytes")
        except SparseToolError as error:
            if "\n" in str(error) or not 0 < len(str(error)) < 400:
                found.append(f"{act.__name__}: an error of {len(str(error))} characters: {str(error)[:80]!r}")
        except TooSlowError:
            found.append(f"{act.__name__}: takes more than {MOST_SECONDS} s")
        except Exception as error:
            found.append(f"{act.__name__}: {type(error).__name__}: {error}{where(error)}")
    return found


def hash_of(output: bytes) -> bytes:
    return struct.pack("<Q", xxhash.xxh64_intdigest(output))


def read_alone(data: bytes, *, max_output_bytes: int) -> None:
    """Every tensor, one by one."""
    packed = open_packed(data, max_output_bytes=max_output_bytes)
    for name in packed:
        packed[name]


def mended(data: bytearray) -> bytes:
    """The size and the checksum of the directory put right."""
    if len(data) < HEADER.size + 4:
        return bytes(data)
    struct.pack_into("<Q", data, 8, len(data))
    end = HEADER.size + struct.unpack_from("<I", data, 32)[0]
    if end + 4 <= len(data):
        struct.pack_into("<I", data, end, xxhash.xxh64_intdigest(bytes(data[:end])) & 0xFFFFFFFF)
    return bytes(data)


def bits(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
    return bytes(damaged) if rng.random() < 0.3 else mended(damaged)


def header(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    at, width = ((4, 1), (5, 1), (8, 8), (16, 8), (24, 8), (32, 4))[rng.integers(6)]
    damaged[at : at + width] = (int(rng.choice(np.array(EXTREME, np.uint64))) % 256**width).to_bytes(width, "little")
    return bytes(damaged) if rng.random() < 0.3 else mended(damaged)


def numbers(data: bytes, rng: np.random.Generator) -> bytes:
    """Numbers of the directory: extreme ones, near ones, those that stand elsewhere, one more and one less of them."""
    size = struct.unpack_from("<I", data, 32)[0]
    if HEADER.size + size + 4 > len(data):
        return data
    found = []
    read = VarintReader(memoryview(data)[HEADER.size : HEADER.size + size])
    try:
        while read.left:
            found.append(read())
    except SparseToolError:
        return data
    for _ in range(rng.integers(1, 4)):
        if not found:
            break
        at = int(rng.integers(len(found)))
        choices = (
            int(rng.choice(np.array(EXTREME, np.uint64))),
            max(0, found[at] + int(rng.integers(-8, 9))),
            found[rng.integers(len(found))],
            found[at] * 2,
        )
        found[at] = choices[rng.integers(4)] % 2**64
        if rng.random() < 0.1:
            found.insert(at, choices[0])
        elif rng.random() < 0.1:
            del found[at]
    directory = b"".join(varint(number) for number in found)
    head = bytearray(data[: HEADER.size])
    struct.pack_into("<I", head, 32, len(directory))
    return mended(head + directory + bytes(4) + data[HEADER.size + size + 4 :])


def contents(data: bytes, rng: np.random.Generator) -> bytes:
    """A stream with other content, of the same size or of another, in a sound frame."""
    try:
        container = _taken_apart(data)
        streams = [(at, n) for at, packed in enumerate(container.regions) for n in range(len(packed.frames))]
        if not streams or rng.random() < 0.1:
            return replace(container, literal=_changed(container.literal, rng)).to_bytes()
        at, n = streams[rng.integers(len(streams))]
        regions = list(container.regions)
        frames = list(regions[at].frames)
        frames[n] = _changed(frames[n], rng)
        regions[at] = Packed(region=regions[at].region, frames=frames)
        return replace(container, regions=regions).to_bytes()
    except SparseToolError:
        return data


def _changed(data: bytes | memoryview, rng: np.random.Generator) -> bytes:
    values = content(data, content_size(data)).copy()
    if values.size and rng.random() < 0.8:
        at = rng.integers(0, values.size, rng.integers(1, 5))
        values[at] = rng.choice((0, 1, 2, 127, 128, 254, 255), at.size)
        if rng.random() < 0.2:
            values[:] = rng.choice((0, 1, 254, 255))
    if rng.random() < 0.3:
        values = np.resize(values, max(0, values.size + int(rng.choice((-1, 1, 100, 2**20)))))
    return frame(values, 1)


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data[: rng.integers(len(data) + 1)])
    return bytes(damaged) if rng.random() < 0.3 else mended(damaged)


def moved(data: bytes, rng: np.random.Generator) -> bytes:
    damaged, length = bytearray(data), int(rng.integers(1, 65))
    source, destination = (int(rng.integers(max(len(data) - length, 1))) for _ in range(2))
    damaged[destination : destination + length] = data[source : source + length]
    return mended(damaged)


DAMAGES: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    bits,
    header,
    numbers,
    numbers,
    numbers,
    contents,
    contents,
    contents,
    cut,
    moved,
)

CONTAINERS = Kind(prepare=seeds, complaints=container_complaints)
