"""What is done to a file: by chance, but the same for the same number."""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import packed

Mutation = Callable[[bytearray, "Seed", np.random.Generator], bytearray]
EXTREME = (0, 1, 2, 3, 4, 7, 8, 255, 256, 2**15, 2**16 - 1, 2**20, 2**24, 2**28, 2**30, 2**31 - 1, 2**31, 2**32 - 1)
EXTREME_SIZES = (0, 1, 2, 3, 63, 2**8, 2**12, 2**16, 2**20, 2**24, 2**28, 2**31 - 1, -1, -(2**31))


class Seed:
    """A valid file, and where in it are numbers that its reader goes by."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data = name, data
        self.numbers = _numbers(data)


def _numbers(data: bytes) -> list[tuple[int, int]]:
    """Place and width of every offset, length, index and size that reading the whole file comes upon."""
    found: set[tuple[int, int]] = set()
    with _watched(found):
        schema.ModelT.InitFromPackedBuf(data, 0)
    return sorted(found)


@contextmanager
def _watched(found: set[tuple[int, int]]) -> Iterator[None]:
    get, get_vector = flatbuffers.encode.Get, flatbuffers.encode.GetVectorAsNumpy

    def watching(packer: Any, buffer: Any, place: int) -> Any:
        found.add((int(place), packer.size))
        return get(packer, buffer, place)

    def watching_vector(dtype: Any, buffer: Any, count: int, offset: int) -> Any:
        width = np.dtype(dtype).itemsize
        found.update((int(offset) + i * width, width) for i in range(min(count, 8)))
        return get_vector(dtype, buffer, count, offset)

    flatbuffers.encode.Get, flatbuffers.encode.GetVectorAsNumpy = watching, watching_vector
    try:
        yield
    finally:
        flatbuffers.encode.Get, flatbuffers.encode.GetVectorAsNumpy = get, get_vector


def mutated(seed: Seed, rng: np.random.Generator) -> bytes:
    """The file with one to three kinds of damage; one alone leads deepest."""
    data = bytearray(seed.data)
    kinds = [rng.choice(len(MUTATIONS)) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    for kind in sorted(kinds):  # a file that is built anew comes first, one that is cut off last
        data = MUTATIONS[kind](data, seed, rng)
    return bytes(data)


def declared_sizes(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    """Shapes, sizes of levels and of buffers that nothing stands behind, in a file that is sound otherwise."""
    model = schema.ModelT.InitFromPackedBuf(seed.data, 0)
    graph = model.subgraphs[rng.integers(len(model.subgraphs))]
    for tensor in rng.choice(np.array(graph.tensors, object), min(3, len(graph.tensors)), replace=False):
        sizes = [int(rng.choice(EXTREME_SIZES)) for _ in range(rng.choice((1, 2, 4, 70, 1000)))]
        if rng.random() < 0.5 and tensor.shape is not None and len(tensor.shape):
            sizes = [int(d) for d in tensor.shape]
            sizes[rng.integers(len(sizes))] = int(rng.choice(EXTREME_SIZES))
        tensor.shape = sizes
        if tensor.sparsity is not None and rng.random() < 0.5:
            _resize_level(tensor, rng)
    for buffer in model.buffers:
        if rng.random() < 0.1:
            buffer.offset, buffer.size = (int(rng.choice(EXTREME)) for _ in range(2))
    return bytearray(packed(model))


def _resize_level(tensor: Any, rng: np.random.Generator) -> None:
    """Levels that agree with the shape, with nothing in them: few bytes that unpack to many."""
    levels = tensor.sparsity.dimMetadata
    for level, size in zip(levels, tensor.shape, strict=False):
        if level.format == 0:
            level.denseSize = size
        elif level.arraySegments is not None and rng.random() < 0.5:
            level.arraySegments.values = np.zeros_like(level.arraySegments.values)
            level.arrayIndices.values = level.arrayIndices.values[:0]


def fields(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    """Any field of any table, in a file whose offsets are sound."""
    model = schema.ModelT.InitFromPackedBuf(seed.data, 0)
    owners = list(_tables(model))
    for _ in range(rng.choice((1, 1, 2))):
        table = owners[rng.integers(len(owners))]
        name = list(vars(table))[rng.integers(len(vars(table)))]
        value = getattr(table, name)
        if isinstance(value, np.ndarray) and value.size and rng.random() < 0.8:
            value = value.copy()
            value[rng.integers(value.size)] = int(rng.choice(EXTREME)) % 2 ** (8 * value.itemsize - 1)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value = type(value)(rng.choice((*EXTREME, *EXTREME_SIZES)))
        elif rng.random() < 0.5:
            value = None
        elif isinstance(value, list) and value:
            value = value * 2
        else:
            other = owners[rng.integers(len(owners))]
            value = getattr(other, name, value)
        setattr(table, name, value)
    try:
        return bytearray(packed(model))
    except (TypeError, ValueError, AttributeError, struct.error, OverflowError):  # no file can hold it
        return data


def _tables(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _tables(item)
    elif hasattr(value, "__dict__"):
        if vars(value):
            yield value
        for item in vars(value).values():
            yield from _tables(item)


def numbers(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    """Offsets, lengths, indices and sizes: extreme ones, near ones, those that stand elsewhere."""
    for _ in range(rng.integers(1, 4)):
        place, width = seed.numbers[rng.integers(len(seed.numbers))]
        if place + width > len(data):
            continue
        before = int.from_bytes(data[place : place + width], "little")
        other, other_width = seed.numbers[rng.integers(len(seed.numbers))]
        after = (
            int(rng.choice(EXTREME)),
            before + int(rng.integers(-8, 9)),
            int.from_bytes(data[other : other + other_width], "little"),
            abs(other - place),  # an offset to there
            len(data) - place + int(rng.integers(-8, 9)),
        )[rng.integers(5)]
        data[place : place + width] = (after % 2 ** (8 * width)).to_bytes(width, "little")
    return data


def words(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    """Any aligned word, whatever it is."""
    for _ in range(rng.integers(1, 5)):
        place = 4 * int(rng.integers(max(len(data) // 4, 1)))
        if place + 4 <= len(data):
            struct.pack_into("<I", data, place, int(rng.choice(EXTREME)))
    return data


def bits(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    for _ in range(rng.integers(1, 17)):
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    return data


def moved(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    """A stretch of the file over another."""
    length = int(rng.integers(1, 65))
    source, destination = (int(rng.integers(max(len(data) - length, 1))) for _ in range(2))
    data[destination : destination + length] = data[source : source + length]
    return data


def cut(data: bytearray, seed: Seed, rng: np.random.Generator) -> bytearray:
    del data[int(rng.integers(len(data) + 1)) :]
    return data


MUTATIONS: tuple[Mutation, ...] = (declared_sizes, fields, fields, numbers, numbers, words, bits, moved, cut)
