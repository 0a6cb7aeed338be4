"""How far two arrays of outputs are apart, one figure each; all of real values, `[samples, ...]` in float64."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparsetool.verify.accuracy import wilson_interval

Reals = npt.NDArray[np.float64]
_PROBABILITIES_SUM_TO_ONE = 1e-2  # of int8 softmax outputs, too, whose steps are 1/256
_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How often two classifiers decide alike.

    Attributes:
        agreeing: decisions that agree.
        decisions: all of them: one for each sample and each position before the last axis.
        low: lower end of the 95 % Wilson interval of the share.
        high: upper end of it.
    """

    agreeing: int
    decisions: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Agreeing decisions out of all, 0.0 to 1.0."""
        return self.agreeing / self.decisions


def agreement_in_top(reference: Reals, candidate: Reals, places: int) -> Agreement | None:
    """How often the reference's largest element is among the candidate's largest, over the last axis.

    A row with a NaN on either side agrees only if the other has NaN in the same places.

    Args:
        reference: `[samples, ..., classes]`.
        candidate: the same shape.
        places: how many of the candidate's largest count, 1 or 5.

    Returns:
        None if there are no more classes than places, or no samples.
    """
    if reference.ndim < 2 or reference.shape[-1] <= places or not reference.size:
        return None
    ours, theirs = (array.reshape(-1, array.shape[-1]) for array in (reference, candidate))
    best = ours.argmax(axis=1)
    if places == 1:
        alike = theirs.argmax(axis=1) == best
    else:
        largest = np.lexsort((-theirs, ~np.isnan(theirs)))[:, :places]  # NaN first, as argmax has it
        alike = (largest == best[:, np.newaxis]).any(axis=1)
    alike &= (np.isnan(ours) == np.isnan(theirs)).all(axis=1)
    agreeing = int(np.count_nonzero(alike))
    low, high = wilson_interval(agreeing, len(ours))
    return Agreement(agreeing=agreeing, decisions=len(ours), low=low, high=high)


def cosine(reference: Reals, candidate: Reals) -> float | None:
    """The cosine of the angle between all values of both; None where either is zero all over or not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(reference.ravel()), np.linalg.norm(candidate.ravel())
        if not all(math.isfinite(length) and length > 0 for length in lengths):
            return None
        product = float(np.dot(reference.ravel() / lengths[0], candidate.ravel() / lengths[1]))
    return max(-1.0, min(1.0, product))


def kl_divergence(reference: Reals, candidate: Reals) -> float | None:
    """The mean of sum p log(p / q) over the last axis, in nats: what the candidate's q loses of the reference's p.

    Rows that are not negative and sum to 1 on both sides are probabilities, all others logits, of which the softmax is
    taken. A probability of the candidate counts as at least 1e-12, so that a single zero is not infinitely wrong.

    Returns:
        None where the last axis is shorter than 2 or a value is not finite.
    """
    if reference.ndim < 2 or reference.shape[-1] < 2 or not reference.size:
        return None
    if not (np.isfinite(reference).all() and np.isfinite(candidate).all()):
        return None
    rows = tuple(array.reshape(-1, array.shape[-1]) for array in (reference, candidate))
    p, q = rows if all(_are_probabilities(array) for array in rows) else map(_softmax, rows)
    q = np.maximum(q / q.sum(axis=1, keepdims=True), _LEAST_PROBABILITY)
    p = p / p.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0)
    return max(0.0, float(terms.sum(axis=1).mean()))


def _are_probabilities(rows: Reals) -> bool:
    return bool((rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) <= _PROBABILITIES_SUM_TO_ONE).all())


def _softmax(rows: Reals) -> Reals:
    powers: Reals = np.exp(rows - rows.max(axis=1, keepdims=True))
    shares: Reals = powers / powers.sum(axis=1, keepdims=True)
    return shares
