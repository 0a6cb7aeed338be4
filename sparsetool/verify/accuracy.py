"""The share of samples that a classifier gets right, and how sure so many samples make it."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparsetool_converters.errors import UsageError
from sparsetool_converters.tensor_info import Array

_Z_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How many samples were classified right.

    Attributes:
        correct: samples whose largest score is at their label.
        n_samples: all samples.
        low: lower end of the 95 % Wilson interval of the share.
        high: upper end of it.
    """

    correct: int
    n_samples: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Correct samples out of all, 0.0 to 1.0."""
        return self.correct / self.n_samples


def classification_accuracy(scores: Array, labels: npt.NDArray[np.integer]) -> Accuracy:
    """Counts the samples whose largest score is at their label; one with a NaN among its scores is wrong.

    Args:
        scores: [n, classes], or with dimensions of 1 between; stored integers do as well as real values.
        labels: integers in 0 .. classes - 1, [n].

    Raises:
        UsageError: the shapes do not fit each other, or a label is no class.
    """
    classes = scores.shape[-1] if scores.ndim > 1 else 0
    if classes < 2 or scores.size != len(scores) * classes or not len(scores):
        raise UsageError(f"accuracy needs scores of shape [n, classes]; got {list(scores.shape)}")
    if labels.shape != (len(scores),) or labels.dtype.kind not in "iu":
        raise UsageError(
            f"accuracy needs one integer label for each of the {len(scores)} samples; "
            f"got {labels.dtype.name} of shape {list(labels.shape)}"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise UsageError(f"labels must lie in 0 .. {classes - 1}, the classes; got {labels.min()} .. {labels.max()}")
    flat = scores.reshape(len(scores), classes)
    right = flat.argmax(axis=1) == labels
    if flat.dtype.kind == "f":
        right &= ~np.isnan(flat.astype(np.float64)).any(axis=1)
    correct = int(np.count_nonzero(right))
    low, high = wilson_interval(correct, len(flat))
    return Accuracy(correct=correct, n_samples=len(flat), low=low, high=high)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share (Wilson 1927, JASA 22), which holds up near 0 and 1."""
    share, z2 = successes / trials, _Z_95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z_95 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high
