"""What is pruned or kept as one, on the TFLite layout `[out, ..., in]`."""

from dataclasses import dataclass
from typing import Literal

from sparsetool.prune.errors import PruningError

Pooling = Literal["AVG", "MAX"]


@dataclass(frozen=True)
class Block:
    """Blocks of r consecutive outputs by c consecutive inputs."""

    block_size: tuple[int, int] = (1, 1)
    block_pooling_type: Pooling = "AVG"


@dataclass(frozen=True)
class NOfM:
    """At most n kept of every m consecutive inputs."""

    n: int
    m: int


@dataclass(frozen=True)
class Channels:
    """Whole output channels."""

    block_pooling_type: Pooling = "AVG"


Structure = Block | NOfM | Channels
ELEMENT = Block()


def check_shape(shape: tuple[int, ...], structure: Structure, *, name: str) -> None:
    """Raise PruningError where this structure does not divide this shape."""
    rows, columns = 1, 1
    if isinstance(structure, Block):
        rows, columns = structure.block_size
    elif isinstance(structure, NOfM):
        columns = structure.m
    for axis, length, factor in (("outputs", shape[0], rows), ("inputs", shape[-1], columns)):
        if length % factor:
            raise PruningError(name, f"its {length} {axis} are not a multiple of the {factor} of {structure}")
