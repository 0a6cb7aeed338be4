"""Exact masks: which weights stay once the lowest scores of a structure are pruned.

Scores are plain arrays on the TFLite layout, `[out, ..., in]`, and may be views with moved axes. How many
units a sparsity leaves is TFMOT's count to the unit; of units with the same score, the one that comes first
in the array goes first, so a mask depends on nothing but scores, sparsity and structure.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from sparsetool.prune.errors import PruningError
from sparsetool.prune.structures import ELEMENT, Block, Mask, NOfM, Scores, Structure

FLOAT32_COUNTS = 2**24  # float32 has every whole number up to here
SAMPLE = 2**16
MARGIN = 800  # places in the sample: six times the deviation of a random one


def keep_mask(
    scores: NDArray[np.floating], sparsity: float, structure: Structure = ELEMENT, *, name: str = "weights"
) -> Mask:
    """Return which weights are kept once the units of lowest score are pruned.

    Exactly `zeros_asked(scores.shape, sparsity, structure)` weights are pruned. Each structure shows an
    example.

    Args:
        scores: float array `[out, ..., in]`, finite and 0 or more, usually the magnitudes of the weights.
        sparsity: share of units to prune, in [0, 1).
        structure: what is pruned or kept as one.
        name: how an error calls these weights.

    Returns:
        Boolean array of the shape, and in the memory order, of `scores`; False where pruned.

    Raises:
        PruningError: scores that are negative or not finite, a shape that the structure does not fit, or a
            sparsity outside [0, 1) or above the 1 - n/m of n:m.
    """
    scores = np.asarray(scores)
    pruned = _pruned_units(structure.units(scores.shape, name=name), sparsity, structure)
    scores = _check_scores(scores, name)
    (kept,) = _keep_highest([structure.unit_scores(scores)], pruned)
    return structure.expand(kept, scores)


def global_masks(
    scores: Sequence[tuple[str, NDArray[np.floating]]],
    sparsity: float,
    structure: Structure = ELEMENT,
    *,
    min_kept: float = 0.0,
) -> list[Mask]:
    """Return the masks of several layers, of which together the units of lowest score are pruned.

    Exactly `global_zeros_asked(shapes, sparsity, structure)` weights are pruned. Every layer keeps at least a
    share `min_kept` of its units, and always one, since a layer of zeros passes nothing on. Of units with the
    same score, those of the first layer go first. Of these two layers, 4 of 8 weights go at sparsity 0.5:

         scores           min_kept 0       min_kept 0.5
         1 3   5 8        0 0   0 1        0 1   0 1
         2 4   6 9        0 1   1 1        0 1   0 1

    Args:
        scores: for each layer, how an error calls it, and its scores as in `keep_mask`.
        sparsity: share of the units of all layers to prune, in [0, 1).
        structure: a Block, the same in every layer.
        min_kept: share of its units that every layer keeps at least, in [0, 1].

    Returns:
        For each layer, the mask as in `keep_mask`.

    Raises:
        PruningError: as `keep_mask`; a structure other than Block; a `min_kept` outside [0, 1]; or layers that
            must keep more than the sparsity leaves.
    """
    if not scores:
        raise PruningError("scores", "must be those of one layer or more; got none")
    layers = [(name, np.asarray(layer)) for name, layer in scores]
    sizes = [_global_units(layer.shape, structure, name) for name, layer in layers]
    pruned = _pruned_units(sum(sizes), sparsity, structure)
    floors = _check_floors(sizes, sum(sizes) - pruned, sparsity, min_kept)
    checked = [_check_scores(layer, name) for name, layer in layers]
    protected = []
    for layer, size, floor in zip(checked, sizes, floors, strict=True):
        unit_scores = structure.unit_scores(layer)
        (safe,) = _keep_highest([unit_scores], size - floor)
        protected.append(np.where(safe, unit_scores.dtype.type(np.inf), unit_scores))
    kept = _keep_highest(protected, pruned)
    return [structure.expand(units, layer) for units, layer in zip(kept, checked, strict=True)]


def zeros_asked(
    shape: tuple[int, ...], sparsity: float, structure: Structure = ELEMENT, *, name: str = "weights"
) -> int:
    """Return how many weights `keep_mask` prunes of scores of this shape.

    Raises:
        PruningError: a shape or a sparsity that `keep_mask` refuses.
    """
    units = structure.units(shape, name=name)
    return _pruned_units(units, sparsity, structure) * (prod(shape) // units)


def global_zeros_asked(
    shapes: Sequence[tuple[str, tuple[int, ...]]], sparsity: float, structure: Structure = ELEMENT
) -> int:
    """Return how many weights `global_masks` prunes of layers of these names and shapes.

    Raises:
        PruningError: a shape, a sparsity or a structure that `global_masks` refuses.
    """
    units = sum(_global_units(shape, structure, name) for name, shape in shapes)
    return _pruned_units(units, sparsity, structure) * (sum(prod(shape) for _, shape in shapes) // units)


def _pruned_units(units: int, sparsity: float, structure: Structure) -> int:
    """Return how many of so many units are pruned.

    What is kept is rounded, not what is pruned: to nearest, a half to even, and at least 1. So it is in
    _update_mask of pruning_impl.py in tensorflow/model-optimization 0.8.1, in float32. In float64, 2 % of the
    counts tried for up to 3.3 million weights were off by one.
    """
    if not 0.0 <= sparsity < 1.0:
        raise PruningError("sparsity", f"must be at least 0 and below 1; got {sparsity}")
    real = np.float32 if units <= FLOAT32_COUNTS else np.float64
    pruned = units - max(int(np.rint(real(units) * (real(1) - real(sparsity)))), 1)
    if not isinstance(structure, NOfM):
        return pruned
    at_most = units // structure.m * (structure.m - structure.n)
    if np.float32(sparsity) > np.float32(structure.max_sparsity):
        problem = f"must be at most {structure.max_sparsity:.6g}, the 1 - n/m of {structure}; got {sparsity}"
        raise PruningError("sparsity", f"{problem}; lower it, or take another n:m")
    return at_most if np.float32(sparsity) == np.float32(structure.max_sparsity) else pruned


def _global_units(shape: tuple[int, ...], structure: Structure, name: str) -> int:
    if not isinstance(structure, Block):
        raise PruningError(
            "scope",
            f"global pruning needs blocks, which have as many weights in every layer; got {structure}, of which "
            f"{'every layer keeps the same share' if isinstance(structure, NOfM) else 'each layer has its own size'}; "
            "prune layer by layer",
        )
    return structure.units(shape, name=name)


def _check_floors(sizes: Sequence[int], left: int, sparsity: float, min_kept: float) -> list[int]:
    """Return how many units each layer must keep."""
    if not 0.0 <= min_kept <= 1.0:
        raise PruningError("min_kept", f"must be in 0..1; got {min_kept}")
    share = Fraction(str(min_kept))  # as written: 0.07 of 100 is 7, which in floats is a bit more
    floors = [max(ceil(share * size), 1) for size in sizes]
    if sum(floors) > left:
        raise PruningError(
            "min_kept",
            f"{min_kept} (and at least 1) keeps {sum(floors):,} of {sum(sizes):,} units in {len(sizes)} layers, but "
            f"sparsity {sparsity} leaves {left:,}; lower either",
        )
    return floors


def _check_scores(scores: NDArray[np.floating], name: str) -> Scores:
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float64)  # which has every float16, bfloat16 and int32 exactly
    lowest, highest = float(scores.min()), float(scores.max())  # NaN if there is one
    if not highest * scores.size < float(np.finfo(scores.dtype).max):
        problem = f"must have finite scores, of which the sum is finite too; the highest is {highest}"
        raise PruningError(name, f"{problem}; if these are magnitudes, train with a lower learning rate")
    if lowest < 0:
        raise PruningError(name, f"must have scores of 0 or more; got {lowest}")
    return scores


def _keep_highest(layers: Sequence[Scores], pruned: int) -> list[Mask]:
    """Prune the lowest of all layers; of equal ones, the first in the order of layers, then of the array.

    A score of infinity is never pruned; `pruned` must be less than the number of the others, or equal to it.
    """
    if pruned == 0:
        return [np.ones_like(scores, np.bool_) for scores in layers]
    flat = [scores.ravel(order="K") for scores in layers]
    threshold = _nth_lowest(flat[0] if len(flat) == 1 else np.concatenate(flat), pruned - 1)
    kept = [scores > threshold for scores in layers]
    surplus = (
        sum(mask.size - int(np.count_nonzero(mask)) for mask in kept) - pruned
    )  # ties at the threshold that must stay
    for scores, mask in zip(reversed(layers), reversed(kept), strict=True):
        if surplus == 0:
            break
        ties = scores == threshold
        staying = min(surplus, int(np.count_nonzero(ties)))
        _keep_last(mask, ties, staying)
        surplus -= staying
    return kept


def _keep_last(kept: Mask, ties: Mask, count: int) -> None:
    """Set the last `count` ties, in the order of the array whatever its order in memory, in `kept`."""
    if ties.ndim == 1:
        places = np.flatnonzero(ties)
        kept[places[places.size - count :]] = True
        return
    here = np.count_nonzero(ties, axis=tuple(range(1, ties.ndim)))  # ties of each row
    after = here[::-1].cumsum()[::-1] - here  # ties of the rows that follow it
    split = np.count_nonzero(here + after > count)  # rows before it stay as they are, or in part
    kept[split:] |= ties[split:]
    if split:
        _keep_last(kept[split - 1], ties[split - 1], count - int(after[split - 1]))


def _nth_lowest(scores: Scores, index: int) -> np.floating:
    """Return what would be at this index if the scores were sorted.

    Only what lies between two scores of a sample is looked at closely: that is a small part, and without the many
    equal zeros of pruned weights, with which np.partition takes ten times as long.
    """
    sample = np.sort(scores[:: max(scores.size // SAMPLE, 1)])
    near = index * sample.size // scores.size
    low, high = sample[max(near - MARGIN, 0)], sample[min(near + MARGIN, sample.size - 1)]
    up_to_low = int(np.count_nonzero(scores <= low))
    between = scores[(scores > low) & (scores < high)]
    if up_to_low <= index < up_to_low + between.size:
        return _sorted_at(between, index - up_to_low)
    for bound in (low, high):  # what is sought may be equal to one
        if np.count_nonzero(scores < bound) <= index < np.count_nonzero(scores <= bound):
            return bound  # type: ignore[no-any-return]
    return _sorted_at(scores, index)  # the sample misled


def _sorted_at(scores: Scores, index: int) -> np.floating:
    return np.partition(scores, index)[index]  # type: ignore[no-any-return]
