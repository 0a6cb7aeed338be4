"""Model files whose tensors are hard on a packer: by chance, but the same for the same number."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, new_model, packed, packed_outside

from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.model import Model
from sparsetool_converters.model.sparsity_fields import write_sparsity
from sparsetool_converters.sparsity import encode
from sparsetool_converters.sparsity.format import BlockFormat, DimensionFormat, block_csr

TYPES = {value: name for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
WIDTHS = {"FLOAT16": 2, "BFLOAT16": 2, "INT16": 2, "UINT16": 2, "INT64": 8, "UINT64": 8, "FLOAT64": 8}
WIDTHS |= {"COMPLEX64": 8, "COMPLEX128": 16}
ONE_BYTE = ("INT8", "UINT8", "BOOL", "FLOAT8_E4M3FN", "FLOAT8_E5M2", "INT4", "UINT4", "INT2", "STRING")
WIDTHS |= dict.fromkeys(ONE_BYTE, 1)


def tensor_file(number: int) -> bytes:
    """A model with one to four constants of any type, shape and contents, some of them encoded."""
    rng = np.random.default_rng(number)
    model = new_model()
    graph = Graph(model)
    for place in range(rng.choice((1, 1, 2, 4))):
        kind = int(rng.choice(list(TYPES)))
        shape = _shape(rng)
        index = graph.tensor(f"t{place}", shape)
        graph.subgraph.tensors[index].type = kind
        payload = _contents(rng, math.prod(shape), WIDTHS.get(TYPES[kind], 4))
        if TYPES[kind] in ("INT4", "UINT4", "INT2"):
            payload = payload[: -(-payload.size // (4 if TYPES[kind] == "INT2" else 2))]
        if rng.random() < 0.05:  # not the length that its shape asks for
            payload = payload[: rng.integers(payload.size + 1)]
        model.buffers.append(schema.BufferT(data=payload))
        shared = place and rng.random() < 0.1
        graph.subgraph.tensors[index].buffer = len(model.buffers) - (2 if shared else 1)
    graph.ends([], [])
    data = packed_outside(model) if rng.random() < 0.1 else packed(model)
    return _encoded(data, rng) if rng.random() < 0.4 else data


def _shape(rng: np.random.Generator) -> tuple[int, ...]:
    """Rank 0 to 6, one to some 50,000 elements."""
    rank = int(rng.integers(7))
    most = float(rng.choice((1, 300, 5000, 50_000)))
    shape = [int(rng.choice((1, 2, 3, 4, 5, 16, 17, 64))) for _ in range(rank)]
    while math.prod(shape) > most:
        shape[int(rng.integers(rank))] = 1
    if rank and rng.random() < 0.7:
        at = int(rng.integers(rank))
        shape[at] *= max(1, int(rng.integers(1, max(2, int(most) // math.prod(shape) + 1))))
    return tuple(shape)


def _contents(rng: np.random.Generator, elements: int, width: int) -> npt.NDArray[np.uint8]:
    """Bytes of elements: some zero, singly or in blocks, and the others with bits of all kinds."""
    values = _values(rng, elements, width)
    density = float(rng.choice((0, 1, 0.5, 0.1, 0.02, 0.001)))
    block = int(rng.choice((1, 1, 4, 16, 64)))
    blocks = -(-elements // block)
    stretch = int(rng.choice((1, 100, 1000)))  # of places that are alike
    here = np.repeat(rng.choice((0.01, 0.3, 1.0, 1.7), -(-blocks // stretch)), stretch)[:blocks]
    keep = rng.random(blocks) < density * here
    values[~np.repeat(keep, block)[:elements]] = 0
    return values.reshape(-1)


def _values(rng: np.random.Generator, elements: int, width: int) -> npt.NDArray[np.uint8]:
    """Shape (elements, width)."""
    kind = rng.choice(("any bits", "short list", "long list", "floats", "special", "ascending", "tiny"))
    if kind == "short list" or kind == "long list":
        entries = rng.integers(0, 256, (256 if kind == "short list" else 257, width), np.uint8)
        return entries[rng.integers(0, rng.integers(1, len(entries) + 1), elements)]
    if kind == "floats" and width in (2, 4, 8):
        return rng.standard_normal(elements).astype(f"<f{width}").view(np.uint8).reshape(-1, width)
    if kind == "special":  # NaN payloads, infinities, negative zeros, subnormals of floats; smallest of integers
        words = np.array(
            [[0] * (width - 1) + [0x80], [1] * (width - 1) + [0x7F], [0xFF] * width, [1] + [0] * (width - 1)]
        )
        return words.astype(np.uint8)[rng.integers(0, len(words), elements)]
    if kind == "ascending":
        return np.arange(elements, dtype="<u8").view(np.uint8).reshape(-1, 8)[:, np.arange(width) % 8]
    if kind == "tiny":
        out = np.zeros((elements, width), np.uint8)
        out[:, 0] = rng.integers(0, 3, elements)
        return out
    return rng.integers(0, 256, (elements, width), np.uint8)


def _encoded(data: bytes, rng: np.random.Generator) -> bytes:
    """The file with its tensors encoded in layouts by chance, where one fits."""
    try:
        model = Model.from_bytes(data)
        for tensor in model.subgraphs[0].tensors:
            if not tensor.is_constant:
                continue
            layout = _layout(len(tensor.shape), rng)
            if layout is not None:
                try:
                    write_sparsity(tensor, encode(tensor.array(), layout))
                except SparseToolError:
                    continue
        return model.to_bytes()
    except SparseToolError:
        return data


def _layout(rank: int, rng: np.random.Generator) -> BlockFormat | None:
    if rank == 0:
        return None
    if rank >= 2 and rng.random() < 0.4:
        blocks = ((1, 4), (1, 16), (4, 1), (2, 2))
        return block_csr(blocks[rng.integers(len(blocks))], rank)
    formats: list[Any] = [DimensionFormat.DENSE] * rank
    formats[int(rng.integers(rank)) if rng.random() < 0.2 else -1] = DimensionFormat.SPARSE_CSR
    if rng.random() < 0.1:
        formats[0] = DimensionFormat.SPARSE_CSR
    return BlockFormat(traversal_order=tuple(int(d) for d in rng.permutation(rank)), formats=tuple(formats))
