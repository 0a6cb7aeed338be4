"""What is pruned or kept as one: a block of weights, a weight of an n:m group, or an output channel.

Arrays have the TFLite layout, output axis first: `[out, in]` for FULLY_CONNECTED, `[out, h, w, in]` for
CONV_2D. They may be views with moved axes: nothing here depends on the order in memory, or changes it.

Each structure divides an array into units, gives each unit a score, and spreads what is decided for the
units over the array again. Block scores are rounded as those of factorized_pool in pruning_utils.py of
tensorflow/model-optimization 0.8.1, so that both prune the same blocks.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sparsetool.prune.errors import PruningError

Pooling = Literal["AVG", "MAX"]
POOLINGS = ("AVG", "MAX")
WAY_OUT = "take another structure or exclude this variable"

Scores = NDArray[np.floating]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Block:
    """Blocks of r consecutive outputs by c consecutive inputs, at one place of the axes in between.

    `Block()` prunes single weights. At sparsity 0.5, 8 of these 16 go, of equal ones the first in the array:

         scores, 4 x 4      mask
         1  1  9  7         0 0 1 1
         5  5  0  6         1 1 0 1
         3  1  2  2         0 0 0 0
         4  4  4  0         1 1 1 0

    The score of a block is the mean (AVG) or the greatest (MAX) score of its weights. With `Block((1, 2))`
    at sparsity 0.5, 4 of these 8 blocks go:

         scores, 4 x 4      AVG     mask          MAX     mask
         1  1  9  7         1  8    0 0 1 1       1  9    0 0 1 1
         5  5  0  6         5  3    1 1 1 1       5  6    1 1 1 1
         3  1  2  2         2  2    0 0 0 0       3  2    0 0 0 0
         4  4  4  0         4  2    1 1 0 0       4  4    0 0 1 1

    Attributes:
        block_size: (r, c), outputs by inputs. TFMOT's block_size counts on the Keras kernel `[in, out]`: its
            (16, 1) is (1, 16) here.
        block_pooling_type: "AVG" or "MAX".

    Raises:
        PruningError: a size that is not two whole numbers of 1 or more, or another pooling.
    """

    block_size: tuple[int, int] = (1, 1)
    block_pooling_type: Pooling = "AVG"

    def __post_init__(self) -> None:
        sizes: Any = self.block_size
        if not (isinstance(sizes, tuple) and len(sizes) == 2 and all(_is_count(size) for size in sizes)):
            raise PruningError("block_size", f"must be a tuple of two whole numbers of 1 or more; got {sizes!r}")
        _check_pooling(self.block_pooling_type)

    def __str__(self) -> str:
        return f"block {self.block_size[0]}x{self.block_size[1]}"

    @property
    def weights(self) -> int:
        """The number of weights in a block."""
        return self.block_size[0] * self.block_size[1]

    def units(self, shape: tuple[int, ...], *, name: str = "weights") -> int:
        """Return the number of blocks in an array of this shape.

        Raises:
            PruningError: an axis that is not a multiple of the block, no weights, or fewer than two axes.
        """
        _check_axes(shape, name)
        _check_multiple(shape[0], self.block_size[0], "outputs", self, name)
        _check_multiple(shape[-1], self.block_size[1], "inputs", self, name)
        return int(np.prod(shape)) // self.weights

    def unit_scores(self, scores: Scores) -> Scores:
        """Return the score of each block, `[out / r, ..., in / c]`, for scores `[out, ..., in]`."""
        pooled = _pool(self._split(scores), -1, self.block_pooling_type)  # (out / r, r, ..., in / c)
        return _pool(pooled, 1, self.block_pooling_type)

    def expand(self, kept: Mask, scores: Scores) -> Mask:
        """Return the mask `[out, ..., in]` of kept blocks `[out / r, ..., in / c]`, in the scores' memory order."""
        if self.weights == 1:
            return kept
        mask = np.empty_like(scores, np.bool_)
        self._split(mask)[...] = kept[:, np.newaxis, ..., np.newaxis]
        return mask

    def _split(self, array: NDArray[Any]) -> NDArray[Any]:
        (rows, columns), (out, *middle, last) = self.block_size, array.shape
        return array.reshape(out // rows, rows, *middle, last // columns, columns)  # a view, whatever the strides


@dataclass(frozen=True)
class NOfM:
    """At most n weights kept of every m consecutive inputs of an output: `NOfM(2, 4)` is 2:4.

    The n highest of each group are never pruned; of the others, the lowest of the whole array go first. So
    the sparsity can grow from 0 to 1 - n/m, where every group has its n. With `NOfM(2, 4)`, 4 of these 16 go
    at sparsity 0.25 and 8 at 0.5, of equal ones the first in the array:

         scores, 4 x 4      0.25, mask      0.5, mask
         1  1  9  7         0 0 1 1         0 0 1 1
         5  5  0  6         1 1 0 1         0 1 0 1
         3  1  2  2         1 1 1 1         1 0 0 1
         4  4  4  0         1 1 1 0         0 1 1 0

    The pattern is that of generate_m_by_n_mask in TFMOT, whose sparsity_m_by_n=(m, n) counts zeros, and which
    prunes all at once at step 1. The work for an array grows with m.

    Attributes:
        n: weights kept in a group.
        m: weights in a group.

    Raises:
        PruningError: anything but whole numbers with 1 <= n < m.
    """

    n: int
    m: int

    def __post_init__(self) -> None:
        if not (_is_count(self.n) and _is_count(self.m) and self.n < self.m):
            raise PruningError("n:m", f"needs whole numbers with 1 <= n < m; got {self.n!r}:{self.m!r}")

    def __str__(self) -> str:
        return f"{self.n}:{self.m}"

    @property
    def max_sparsity(self) -> float:
        """The sparsity at which every group has n weights left."""
        return 1 - self.n / self.m

    def units(self, shape: tuple[int, ...], *, name: str = "weights") -> int:
        """Return the number of weights in an array of this shape.

        Raises:
            PruningError: inputs that are not a multiple of m, no weights, or fewer than two axes.
        """
        _check_axes(shape, name)
        _check_multiple(shape[-1], self.m, "inputs", self, name)
        return int(np.prod(shape))

    def unit_scores(self, scores: Scores) -> Scores:
        """Return the scores `[out, ..., in]` with infinity for the n highest of each group."""
        groups = scores.reshape(*scores.shape[:-1], -1, self.m)  # a view, whatever the strides
        better = np.empty_like(groups, np.min_scalar_type(self.m))  # how many of its group come before a weight
        better[...] = np.arange(self.m)[::-1]  # all that follow it do, unless they are lower
        for one in range(self.m):
            for later in range(one + 1, self.m):
                higher = (groups[..., one] > groups[..., later]).view(np.uint8)
                better[..., one] -= higher
                better[..., later] += higher
        return np.where((better < self.n).reshape(scores.shape), scores.dtype.type(np.inf), scores)

    def expand(self, kept: Mask, scores: Scores) -> Mask:
        """Return the kept weights `[out, ..., in]` as they are."""
        del scores
        return kept


@dataclass(frozen=True)
class Channels:
    """Whole output channels, with all inputs and all places of the axes in between.

    The score of a channel is the mean (AVG) or the greatest (MAX) score of its weights. At sparsity 0.5, 2 of
    these 4 channels go, of equal ones the first:

         scores, 4 x 4      AVG   mask          MAX   mask
         1  1  9  1         3     0 0 0 0       9     1 1 1 1
         5  5  5  5         5     1 1 1 1       5     0 0 0 0
         4  4  4  4         4     1 1 1 1       4     0 0 0 0
         0  0  8  0         2     0 0 0 0       8     1 1 1 1

    Attributes:
        block_pooling_type: "AVG" or "MAX".

    Raises:
        PruningError: another pooling.
    """

    block_pooling_type: Pooling = "AVG"

    def __post_init__(self) -> None:
        _check_pooling(self.block_pooling_type)

    def __str__(self) -> str:
        return "channels"

    def units(self, shape: tuple[int, ...], *, name: str = "weights") -> int:
        """Return the number of output channels in an array of this shape.

        Raises:
            PruningError: no weights, or fewer than two axes.
        """
        _check_axes(shape, name)
        return shape[0]

    def unit_scores(self, scores: Scores) -> Scores:
        """Return the score of each channel, float64 `[out]`, for scores `[out, ..., in]`."""
        rest = tuple(range(1, scores.ndim))
        if self.block_pooling_type == "MAX":
            return np.asarray(scores.max(axis=rest), np.float64)
        return np.asarray(scores.mean(axis=rest, dtype=np.float64))

    def expand(self, kept: Mask, scores: Scores) -> Mask:
        """Return the mask `[out, ..., in]` of kept channels `[out]`, in the scores' memory order."""
        mask = np.empty_like(scores, np.bool_)
        mask[...] = kept.reshape(-1, *(1 for _ in scores.shape[1:]))
        return mask


def _pool(array: Scores, axis: int, pooling: Pooling) -> Scores:
    """Pool one axis away, adding in its order as TFMOT does, which numpy's own mean does not."""
    first, *others = np.moveaxis(array, axis, 0)
    if not others:
        return first  # type: ignore[no-any-return]
    combine: np.ufunc = np.add if pooling == "AVG" else np.maximum
    pooled: Scores = combine(first, others[0])
    for other in others[1:]:
        combine(pooled, other, out=pooled)
    if pooling == "AVG":
        pooled /= array.shape[axis]
    return pooled


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check_pooling(pooling: str) -> None:
    if pooling not in POOLINGS:
        raise PruningError("block_pooling_type", f"must be {' or '.join(POOLINGS)}; got {pooling!r}")


def _check_axes(shape: tuple[int, ...], name: str) -> None:
    if len(shape) < 2 or 0 in shape:
        raise PruningError(name, f"must have an output and an input axis, and weights; got the shape {shape}")


def _check_multiple(length: int, factor: int, axis: str, structure: object, name: str) -> None:
    if length % factor:
        raise PruningError(name, f"its {length} {axis} are not a multiple of the {factor} of {structure}; {WAY_OUT}")


Structure = Block | NOfM | Channels
ELEMENT = Block()  # unstructured pruning
