"""What a benchmark found, and what it must be."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number.

    Attributes:
        name: what was measured, against what.
        value: the number, None where this machine cannot measure it; the name says why.
        unit: what it counts; "x" for a ratio.
        limit: the largest value that will do, None where there is none.
        least: the smallest value that will do, None where there is none.
    """

    name: str
    value: float | None
    unit: str
    limit: float | None = None
    least: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it keeps to its limits; what was not measured breaks none."""
        if self.value is None:
            return True
        return (self.limit is None or self.value <= self.limit) and (self.least is None or self.value >= self.least)


def seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def median_ratio(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> float:
    """Our time over theirs, taken turn by turn so that a busy machine slows both."""
    ours(), theirs()
    return statistics.median(seconds(ours) / seconds(theirs) for _ in range(rounds))
