"""Magnitude scores and exact masks, on plain arrays.

Arrays have the TFLite layout, output axis first: `[out, in]` for FULLY_CONNECTED, `[out, h, w, in]` for
CONV_2D. A block (r, c) is r consecutive outputs by c consecutive inputs, at one place of the axes in
between.
"""

import numpy as np
from numpy.typing import NDArray

from sparsetool.prune.errors import PruningError

ELEMENT = (1, 1)  # the block of unstructured pruning


def block_scores(
    weights: NDArray[np.floating], block_size: tuple[int, int] = ELEMENT, *, name: str = "weights"
) -> NDArray[np.floating]:
    """Return the mean magnitude of each block.

    Args:
        weights: float array `[out, ..., in]`, two axes or more.
        block_size: (r, c), outputs by inputs.
        name: how an error calls these weights.

    Returns:
        Float array `[out / r, ..., in / c]`.

    Raises:
        PruningError: an axis that is not a multiple of the block, a weight that is not finite, or fewer than
            two axes.
    """
    rows, columns = _check_block(weights, block_size, name)
    magnitudes: NDArray[np.floating] = np.abs(weights)
    if not np.isfinite(magnitudes.sum(dtype=np.float64)):
        raise PruningError(name, "has weights that are not finite; train with a lower learning rate")
    if block_size == ELEMENT:
        return magnitudes
    out, *middle, last = weights.shape
    blocked = magnitudes.reshape(out // rows, rows, *middle, last // columns, columns)
    scores: NDArray[np.floating] = blocked.mean(axis=(1, -1))  # (out / r, ..., in / c)
    return scores


def magnitude_mask(
    weights: NDArray[np.floating],
    sparsity: float,
    block_size: tuple[int, int] = ELEMENT,
    *,
    name: str = "weights",
) -> NDArray[np.bool_]:
    """Return which weights are kept once the blocks of least mean magnitude are pruned.

    Exactly `pruned_blocks(number of blocks, sparsity)` blocks are pruned. Of blocks with the same score,
    the one that
    comes first in the array is pruned first. At sparsity 0.5 and block (1, 2), 4 of these 8 blocks go:

        weights, 4 outputs by 4 inputs      scores       mask
         .1  .1   .9 -.7                    .1  .8       0 0 1 1
        -.5  .5   .2  .0          ->        .5  .1  ->   1 1 0 0
         .3 -.1   .2  .2                    .2  .2       0 0 0 0
        -.6  .6   .4 -.4                    .6  .4       1 1 1 1

    Args:
        weights: float array `[out, ..., in]`, two axes or more.
        sparsity: share of blocks to prune, in [0, 1].
        block_size: (r, c), outputs by inputs.
        name: how an error calls these weights.

    Returns:
        Boolean array of the shape of `weights`, False where pruned.

    Raises:
        PruningError: as `block_scores`, or a sparsity outside [0, 1].
    """
    scores = block_scores(weights, block_size, name=name)
    kept = _keep_highest(scores, pruned_blocks(scores.size, sparsity))
    if block_size == ELEMENT:
        return kept
    return kept.repeat(block_size[0], axis=0).repeat(block_size[1], axis=-1)


def pruned_blocks(blocks: int, sparsity: float) -> int:
    """Return how many of so many blocks are pruned: sparsity * blocks, rounded to nearest, a half to even.

    Raises:
        PruningError: a sparsity outside [0, 1].
    """
    if not 0.0 <= sparsity <= 1.0:
        raise PruningError("sparsity", f"must be in 0..1; got {sparsity}")
    return round(sparsity * blocks)


def _keep_highest(scores: NDArray[np.floating], pruned: int) -> NDArray[np.bool_]:
    if pruned == 0:
        return np.ones(scores.shape, np.bool_)
    threshold = _nth_lowest(scores.ravel(order="K"), pruned - 1)
    kept = scores > threshold
    surplus = scores.size - np.count_nonzero(kept) - pruned  # ties at the threshold that must stay
    if surplus:
        ties = np.flatnonzero(scores == threshold)
        kept[np.unravel_index(ties[ties.size - surplus :], kept.shape)] = True
    return kept


def _nth_lowest(scores: NDArray[np.floating], index: int) -> np.floating:
    nonzero = scores[scores > 0]  # partition is ten times slower on the many equal zeros of pruned weights
    zeros = scores.size - nonzero.size
    if index < zeros:
        return scores.dtype.type(0)
    return np.partition(nonzero, index - zeros)[index - zeros]  # type: ignore[no-any-return]


def _check_block(weights: NDArray[np.floating], block_size: tuple[int, int], name: str) -> tuple[int, int]:
    rows, columns = block_size
    if rows < 1 or columns < 1:
        raise PruningError("block_size", f"must be two whole numbers of 1 or more; got {block_size}")
    if weights.ndim < 2:
        raise PruningError(name, f"must have an output and an input axis; got the shape {weights.shape}")
    for axis, length, factor in (("outputs", weights.shape[0], rows), ("inputs", weights.shape[-1], columns)):
        if length % factor:
            raise PruningError(
                name,
                f"its {length} {axis} are not a multiple of the {factor} of block {rows}x{columns}; "
                "take another block size or exclude this variable",
            )
    return rows, columns
