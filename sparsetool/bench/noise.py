"""Decide whether two models differ in a quantity, from one log-ratio for each round.

What makes a comparison of times lie, and what is done about it here and in `rounds.py`:

- Where a process, its heap and the pages of the file happen to lie in memory makes it faster or slower by some
  percent for as long as it lives. Measuring longer in the same process does not help: a thousand measurements of one
  pair of processes are one observation. So a round has processes and files of its own, gives one log-ratio, and the
  round is the unit of the test.
- The machine drifts, and others use it. Both models of a round are measured in turn, and a log-ratio compares what
  was measured side by side.
- Being second may matter. Rounds come in twos, one in each order.
- Times have outliers on one side. Inside of a round the median is taken, over rounds a test that only knows ranks.
- One who looks at the result before deciding to go on finds a difference at last. The number of rounds depends on
  time alone.

If both models are the same, the log-ratio of a round is as likely to be d as -d, whatever its distribution is. That is
all that Wilcoxon's signed-rank test needs to be exact. The interval is the one that belongs to it: of the means of
all pairs of log-ratios, each with itself too, it leaves out as many at each end as the test does at its level, with an
exact distribution and no random numbers.

Four quantities are decided at once, and one who reads four verdicts wants all of them right. So each is decided at a
quarter of 1 %: of 100 comparisons of a model with itself at most one claims any difference, and all four intervals
hold together in 99 of 100. With ten rounds nothing is left out at that level, and with fewer there is no such interval.

A difference is claimed where the whole interval is more than 1 % away from "the same": a smaller one matters to nobody,
and what little the rounds do have in common is smaller than that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL_OF_ALL = 0.01  # at most so often any of the quantities is called different if none is
LEVEL = LEVEL_OF_ALL / 4  # of one quantity, both sides together
MARGIN = math.log(1.01)  # a difference that nobody would notice


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Candidate over reference.

    Attributes:
        ratio: the middle of the means of pairs.
        low: lower end of the interval that holds the true one; those of four quantities hold at 99 % together.
        high: upper end of it.
        verdict: "smaller", "larger" or "no difference".
    """

    ratio: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The middle of several measurements, and the quartiles."""

    median: float
    low: float
    high: float
    count: int


def decide(log_ratios: Sequence[float]) -> Ratio:
    """Decide from the log-ratios of independent rounds, ten or more.

    Raises:
        ValueError: there are too few rounds for the level.
    """
    values = np.asarray(log_ratios, np.float64)
    rows, columns = np.triu_indices(len(values))
    means = np.sort((values[rows] + values[columns]) / 2)
    left_out = _left_out(len(values))
    low, high = float(means[left_out]), float(means[-1 - left_out])
    verdict = "larger" if low > MARGIN else "smaller" if high < -MARGIN else "no difference"
    return Ratio(ratio=math.exp(float(np.median(means))), low=math.exp(low), high=math.exp(high), verdict=verdict)


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles of any number of measurements but none."""
    low, median, high = (float(value) for value in np.quantile(np.asarray(values, np.float64), (0.25, 0.5, 0.75)))
    return Spread(median=median, low=low, high=high, count=len(values))


def _left_out(rounds: int) -> int:
    """How many means the interval leaves out at each end: the largest k with P(rank sum < k + 1) <= LEVEL / 2."""
    tail = np.cumsum(_rank_sums(rounds))
    within = int(np.count_nonzero(tail <= LEVEL / 2))
    if not within:
        raise ValueError(f"{rounds} rounds are too few to decide anything at {LEVEL:.2%}")
    return within - 1


def _rank_sums(rounds: int) -> npt.NDArray[np.float64]:
    """Probability of each sum of the ranks 1 ... rounds, each of which counts or not by the toss of a coin."""
    chances = np.zeros(rounds * (rounds + 1) // 2 + 1)
    chances[0] = 1.0
    for rank in range(1, rounds + 1):
        shifted = np.zeros_like(chances)
        shifted[rank:] = chances[:-rank]
        chances = (chances + shifted) / 2
    return chances
