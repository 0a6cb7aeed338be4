"""When masks are refreshed, and how sparse they are then.

Names, arguments, defaults and formulas are those of pruning_schedule.py in tensorflow/model-optimization
0.8.1. A step is the number of training batches done before: the first batch is step 0.

Unlike there, a step may also be "2 epochs" or "25%" of the run, until `in_steps` is told how long that is.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, Self, cast

import numpy as np

from sparsetool.prune.errors import PruningError
from sparsetool.prune.timing import NO_END, Timed
from sparsetool.spans import Span

BELOW_1 = float(np.nextafter(np.float32(1), np.float32(0)))  # the greatest sparsity that float32 has


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
class ConstantSparsity(Timed):
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
    begin_step: Span
    end_step: Span = NO_END
    frequency: Span = 100

    def __post_init__(self) -> None:
        _check_sparsity("target_sparsity", self.target_sparsity)
        self._check_timing()

    @property
    def target(self) -> float:
        """The sparsity that training is to end with, in [0, 1)."""
        return self.target_sparsity

    def sparsity(self, step: int) -> float:
        """Return `target_sparsity`, whatever the step.

        Raises:
            PruningError: the schedule is not in plain steps yet.
        """
        self.plain_steps()
        del step
        return self.target_sparsity


@dataclass(frozen=True)
class PolynomialDecay(Timed):
    """From `initial_sparsity` at `begin_step` to `final_sparsity` at `end_step`, fast first, slow last.

        sparsity(step) = final + (initial - final) * (1 - p) ** power,   p = (step - begin) / (end - begin)

    Steps before `begin_step` count as `begin_step`, those after `end_step` as `end_step`.

    Attributes:
        initial_sparsity: share of blocks pruned at `begin_step`, in [0, 1).
        final_sparsity: share of blocks pruned at `end_step`, in [0, 1).
        begin_step: first step at which masks are refreshed.
        end_step: last step at which they may be; `final_sparsity` is only reached if it is a multiple of
            `frequency` after `begin_step`, which `in_steps` sees to where it is not in plain steps.
        power: exponent of the decay; 1 is a straight line.
        frequency: refresh at every so many steps, counted from `begin_step`.

    Raises:
        PruningError: an argument outside its range, or an end that is not after the begin.
    """

    initial_sparsity: float
    final_sparsity: float
    begin_step: Span
    end_step: Span
    power: float = 3
    frequency: Span = 100

    def __post_init__(self) -> None:
        _check_sparsity("initial_sparsity", self.initial_sparsity)
        _check_sparsity("final_sparsity", self.final_sparsity)
        self._check_timing(end_after_begin=True)
        if not self.power > 0:
            raise PruningError("power", f"must be above 0; got {self.power}")

    @property
    def target(self) -> float:
        """The sparsity that training is to end with, in [0, 1)."""
        return self.final_sparsity

    def sparsity(self, step: int) -> float:
        """Return the share of blocks that a refresh at this step leaves at zero.

        In float32, as TFMOT: where the number of blocks times this is a half, the last bit decides over a block.

        Raises:
            PruningError: the schedule is not in plain steps yet.
        """
        begin_step, end_step, _ = self.plain_steps()
        if step >= end_step:
            return self.final_sparsity
        progress = np.float32(max(0, step - begin_step)) / np.float32(end_step - begin_step)
        left = np.float32(float(np.float32(1) - progress) ** self.power)
        above = np.float32(self.initial_sparsity - self.final_sparsity) * left
        return min(BELOW_1, max(0.0, float(above + np.float32(self.final_sparsity))))


@dataclass(frozen=True, repr=False)
class CallableSchedule(Timed):
    """A sparsity that a function gives for each step.

    The function is asked for steps from `begin_step` to `end_step` only; earlier ones count as the first, later
    ones as the last of these. What it gives for `end_step` is the target.

    It may also answer as the schedules of tensorflow/model-optimization do, with (should_prune, sparsity). Then it
    says itself when masks are refreshed, between `begin_step` and `end_step`, and `frequency` does not count.

    Attributes:
        function: takes a step, an int; returns a sparsity in [0, 1), or (should_prune, sparsity). The same step
            must give the same answer each time.
        begin_step: first step at which masks are refreshed.
        end_step: last step at which they are.
        frequency: refresh at every so many steps, counted from `begin_step`.

    Raises:
        PruningError: an argument outside its range; later, an answer of the function that is none of these.
    """

    function: Callable[[int], Any]
    begin_step: Span = 0
    end_step: Span = "100%"
    frequency: Span = 100

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise PruningError("function", f"must be callable with a step; got {self.function!r}")
        self._check_timing()
        if self.end_step == NO_END:
            raise PruningError("end_step", 'must be there, since the target is the sparsity at it; got -1, take "100%"')

    def in_steps(self, *, steps: int | None, steps_per_epoch: int | None, steps_per_execution: int = 1) -> Self:
        """Return this schedule in plain steps, as `Timed.in_steps`; by single steps where the function says when.

        Raises:
            PruningError: as `Timed.in_steps`, or as `target`.
        """
        says_when = self._ask(self.begin_step if isinstance(self.begin_step, int) else 0)[0] is not None
        timed = replace(self, frequency=1) if says_when else self
        return super(CallableSchedule, timed).in_steps(
            steps=steps, steps_per_epoch=steps_per_epoch, steps_per_execution=steps_per_execution
        )

    def __repr__(self) -> str:  # the same in each process, unlike the function's own
        rest = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self)[1:])
        return f"CallableSchedule(function={self._name}, {rest})"

    @property
    def target(self) -> float:
        """The sparsity that training is to end with, in [0, 1).

        Raises:
            PruningError: the schedule is not in plain steps yet, or the function gives none.
        """
        return self.sparsity(self.plain_steps()[1])

    def should_prune(self, step: int) -> bool:
        """Tell whether masks are refreshed before the batch of this step.

        Raises:
            PruningError: as `target`.
        """
        begin_step, end_step, _ = self.plain_steps()
        if not begin_step <= step <= end_step:
            return False
        said, _ = self._ask(step)
        return super().should_prune(step) if said is None else said

    def sparsity(self, step: int) -> float:
        """Return the share of blocks that a refresh at this step leaves at zero.

        Raises:
            PruningError: as `target`.
        """
        begin_step, end_step, _ = self.plain_steps()
        return self._ask(min(end_step, max(begin_step, step)))[1]

    @property
    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _ask(self, step: int) -> tuple[bool | None, float]:
        """What the function says of a step: whether to prune, None if it leaves that open, and the sparsity."""
        try:
            answer = self.function(step)
            pair = isinstance(answer, tuple | list) and len(answer) == 2
            said, sparsity = (bool(answer[0]), float(answer[1])) if pair else (None, float(answer))
        except PruningError:
            raise
        except Exception as problem:  # the function is the user's own
            raise PruningError(
                self._name,
                f"failed at step {step}: {' '.join(f'{type(problem).__name__}: {problem}'.split())}; it must take a "
                "step and return a sparsity, or (should_prune, sparsity)",
            ) from problem
        if not 0.0 <= sparsity < 1.0:
            raise PruningError(
                self._name, f"must give a sparsity of at least 0 and below 1; got {sparsity} at step {step}"
            )
        return said, sparsity


def as_schedule(schedule: Schedule | Callable[[int], Any]) -> Schedule:
    """Return a schedule as it is, and a function of the step as a `CallableSchedule`.

    Raises:
        PruningError: neither.
    """
    if callable(schedule) and not hasattr(schedule, "should_prune"):
        return CallableSchedule(schedule)
    missing = [name for name in ("target", "should_prune", "sparsity") if name not in dir(schedule)]
    if missing:
        raise PruningError(
            "schedule",
            f"must be one, such as PolynomialDecay, or a function of the step; {schedule!r} has no {missing[0]}",
        )
    return cast(Schedule, schedule)


def last_due_step(schedule: Schedule, first: int, last: int) -> int | None:
    """Return the latest step in `first..last`, both included, at which masks are refreshed, else None."""
    return next((step for step in range(last, first - 1, -1) if schedule.should_prune(step)), None)


def _check_sparsity(name: str, sparsity: float) -> None:
    if not 0.0 <= sparsity < 1.0:
        raise PruningError(name, f"must be at least 0 and below 1; got {sparsity}")
