"""Where the bytes of a container go, against what the entropy of its tensors lets expect."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.codec.container import HEADER, Packed
from sparsetool_converters.codec.reading import PackedModel
from sparsetool_converters.codec.regions import Coding, Places
from sparsetool_converters.model import Tensor

_MANTISSA_BITS = {"FLOAT16": 10, "FLOAT32": 23, "FLOAT64": 52}
_PLACES = {Places.ALL: "all", Places.GAPS: "gaps", Places.MASK: "mask"}
_CODING = {Coding.PLAIN: "plain", Coding.PLANES: "planes", Coding.TURNED: "turned planes", Coding.LIST: "list"}


@dataclass(frozen=True, kw_only=True)
class TensorBytes:
    """What one tensor takes.

    Attributes:
        name: its name in the model.
        type: its element type.
        shape: its dense shape.
        zeros: how many of its elements are zero bits.
        stored_bytes: what it takes in the model file.
        packed_bytes: what its frames take in the container.
        bound_bytes: the order-0 bound: which elements are zero, at n H(p), and the others at their entropy, where a
            float's sign and exponent count at theirs and its mantissa as it is.
        how: how it is represented.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    zeros: int
    stored_bytes: int
    packed_bytes: int
    bound_bytes: int
    how: str


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """What a container consists of; the parts add up to `container_bytes`.

    Attributes:
        output_bytes: the file that was packed.
        container_bytes: the container.
        tensors: every tensor that has frames of its own.
        literal_bytes: the frame of everything else: tables, small tensors.
        directory_bytes: header, directory and its checksum.
    """

    output_bytes: int
    container_bytes: int
    tensors: tuple[TensorBytes, ...]
    literal_bytes: int
    directory_bytes: int


def account(packed: PackedModel) -> Accounting:
    """Look at each tensor of a packed model; each is unpacked for it.

    Raises:
        SparseToolError: a tensor is damaged, or one that cannot be read.
    """
    container = packed.container
    seen: set[int] = set()
    found = []
    for tensor in packed.tensors():
        numbers = [number for number in packed.regions_of(tensor) if number not in seen]
        seen.update(numbers)
        if numbers:
            found.append(_tensor_bytes(packed.array(tensor), tensor, [container.regions[n] for n in numbers]))
    frames = sum(len(frame) for region in container.regions for frame in region.frames)
    literal = len(container.literal)
    directory = len(container.to_bytes()) - frames - literal
    assert directory >= HEADER.size
    return Accounting(
        output_bytes=container.output_bytes,
        container_bytes=directory + frames + literal,
        tensors=tuple(found),
        literal_bytes=literal,
        directory_bytes=directory,
    )


def _tensor_bytes(array: npt.NDArray[Any], tensor: Tensor, regions: list[Packed]) -> TensorBytes:
    bits = np.ascontiguousarray(array).reshape(-1).view(f"u{min(array.itemsize, 8)}")
    vectors = 0 if not tensor.is_sparse else tensor.encoded().index_bytes
    return TensorBytes(
        name=tensor.name,
        type=tensor.type_name,
        shape=tensor.shape,
        zeros=int(bits.size - np.count_nonzero(bits)),
        stored_bytes=tensor.buffer.nbytes + vectors,
        packed_bytes=sum(len(frame) for packed in regions for frame in packed.frames),
        bound_bytes=math.ceil(order_0_bits(bits, _MANTISSA_BITS.get(tensor.type_name, 0)) / 8),
        how=", then ".join(dict.fromkeys(_how(packed) for packed in regions)),
    )


def order_0_bits(bits: npt.NDArray[np.unsignedinteger], mantissa_bits: int) -> float:
    """The order-0 bound of a tensor.

    Args:
        bits: its elements, 1-D.
        mantissa_bits: lowest bits of an element that count as they are; sign and exponent count apart. 0 for integers.
    """
    nonzero = bits[bits != 0]
    places = _entropy_bits(np.array([nonzero.size, bits.size - nonzero.size]))
    if not mantissa_bits:
        return places + _entropy_bits(np.unique(nonzero, return_counts=True)[1])
    top = 8 * bits.itemsize - 1
    signs = np.bincount((nonzero >> bits.dtype.type(top)).astype(np.int64))
    exponents = (nonzero >> bits.dtype.type(mantissa_bits)) & bits.dtype.type(2 ** (top - mantissa_bits) - 1)
    return (
        places
        + _entropy_bits(signs)
        + _entropy_bits(np.bincount(exponents.astype(np.int64)))
        + mantissa_bits * float(nonzero.size)
    )


def _entropy_bits(counts: npt.NDArray[np.integer]) -> float:
    present = counts[counts > 0].astype(np.float64)
    return float(-(present * np.log2(present / present.sum())).sum()) if present.size else 0.0


def _how(packed: Packed) -> str:
    region = packed.region
    places = f"{region.rows:,} rows of gaps" if region.rows > 1 else _PLACES[region.places]
    unit = "" if region.unit == 1 else f" of blocks of {region.unit}"
    index = "" if region.index is None else ", indices rebuilt"
    return f"{places}{unit}, {_CODING[region.coding]}{index}"
