"""When masks are refreshed, and how sparse they are then.

Names, arguments, defaults and formulas are those of pruning_schedule.py in tensorflow/model-optimization
0.8.1. A step is the number of training batches done before: the first batch is step 0.
"""

from dataclasses import dataclass
from typing import Protocol

from sparsetool.prune.errors import PruningError

NO_END = -1  # an end_step that never comes


class Schedule(Protocol):
    """What the pruner asks of a schedule; any object that answers this will do."""

    @property
    def target(self) -> float:
        """The sparsity that training is to end with, in [0, 1)."""

    def should_prune(self, step: int) -> bool:
        """Tell whether masks are refreshed before the batch of this step."""

    def sparsity(self, step: int) -> float:
        """Return the share of blocks, in [0, 1), that a refresh at this step leaves at zero."""


@dataclass(frozen=True)
class ConstantSparsity:
    """The same sparsity from `begin_step` on.

    Attributes:
        target_sparsity: share of blocks to prune, in [0, 1).
        begin_step: first step at which masks are refreshed.
        end_step: last step at which they may be, -1 for no end.
        frequency: refresh at every so many steps, counted from `begin_step`.

    Raises:
        PruningError: an argument outside its range.
    """

    target_sparsity: float
    begin_step: int
    end_step: int = NO_END
    frequency: int = 100

    def __post_init__(self) -> None:
        _check_sparsity("target_sparsity", self.target_sparsity)
        _check_steps(self.begin_step, self.end_step, self.frequency)

    @property
    def target(self) -> float:
        """The sparsity that training is to end with, in [0, 1)."""
        return self.target_sparsity

    def should_prune(self, step: int) -> bool:
        """Tell whether masks are refreshed before the batch of this step."""
        return _is_due(step, self.begin_step, self.end_step, self.frequency)

    def sparsity(self, step: int) -> float:
        """Return `target_sparsity`, whatever the step."""
        del step
        return self.target_sparsity


@dataclass(frozen=True)
class PolynomialDecay:
    """From `initial_sparsity` at `begin_step` to `final_sparsity` at `end_step`, fast first, slow last.

        sparsity(step) = final + (initial - final) * (1 - p) ** power,   p = (step - begin) / (end - begin)

    Steps before `begin_step` count as `begin_step`, those after `end_step` as `end_step`.

    Attributes:
        initial_sparsity: share of blocks pruned at `begin_step`, in [0, 1).
        final_sparsity: share of blocks pruned at `end_step`, in [0, 1).
        begin_step: first step at which masks are refreshed.
        end_step: last step at which they may be; `final_sparsity` is only reached if it is a multiple of
            `frequency` after `begin_step`.
        power: exponent of the decay; 1 is a straight line.
        frequency: refresh at every so many steps, counted from `begin_step`.

    Raises:
        PruningError: an argument outside its range, or an end that is not after the begin.
    """

    initial_sparsity: float
    final_sparsity: float
    begin_step: int
    end_step: int
    power: float = 3
    frequency: int = 100

    def __post_init__(self) -> None:
        _check_sparsity("initial_sparsity", self.initial_sparsity)
        _check_sparsity("final_sparsity", self.final_sparsity)
        _check_steps(self.begin_step, self.end_step, self.frequency)
        if self.end_step <= self.begin_step:
            raise PruningError(
                "end_step",
                f"must be after begin_step; got {self.end_step}, with begin_step {self.begin_step}",
            )
        if not self.power > 0:
            raise PruningError("power", f"must be above 0; got {self.power}")

    @property
    def target(self) -> float:
        """The sparsity that training is to end with, in [0, 1)."""
        return self.final_sparsity

    def should_prune(self, step: int) -> bool:
        """Tell whether masks are refreshed before the batch of this step."""
        return _is_due(step, self.begin_step, self.end_step, self.frequency)

    def sparsity(self, step: int) -> float:
        """Return the share of blocks that a refresh at this step leaves at zero."""
        progress = (step - self.begin_step) / (self.end_step - self.begin_step)
        left: float = (1.0 - min(1.0, max(0.0, progress))) ** self.power
        return self.final_sparsity + (self.initial_sparsity - self.final_sparsity) * left


def last_due_step(schedule: Schedule, first: int, last: int) -> int | None:
    """Return the latest step in `first..last`, both included, at which masks are refreshed, else None."""
    return next((step for step in range(last, first - 1, -1) if schedule.should_prune(step)), None)


def _is_due(step: int, begin_step: int, end_step: int, frequency: int) -> bool:
    started = step >= begin_step
    ended = end_step != NO_END and step > end_step
    return started and not ended and (step - begin_step) % frequency == 0


def _check_sparsity(name: str, sparsity: float) -> None:
    if not 0.0 <= sparsity < 1.0:
        raise PruningError(name, f"must be at least 0 and below 1; got {sparsity}")


def _check_steps(begin_step: int, end_step: int, frequency: int) -> None:
    if begin_step < 0:
        raise PruningError("begin_step", f"must be 0 or more; got {begin_step}")
    if frequency < 1:
        raise PruningError("frequency", f"must be 1 or more; got {frequency}")
    if end_step != NO_END and end_step < begin_step:
        raise PruningError("end_step", f"must not come before begin_step {begin_step}; got {end_step} (-1 is no end)")
