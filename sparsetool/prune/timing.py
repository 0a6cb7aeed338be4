"""The steps of a schedule: when refreshes are due, and what epochs and shares of a run come to.

begin_step   begin + frequency   begin + 2 * frequency   ...   at most end_step
    |               |                     |                          |
"""

from dataclasses import replace
from typing import Self

from sparsetool.prune.errors import PruningError
from sparsetool.spans import RelativeSpan, Span, parse_span
from sparsetool_converters.errors import UsageError

NO_END = -1  # an end_step that never comes


class Timed:
    """A schedule whose refreshes are `frequency` steps apart, from `begin_step` to `end_step`, both included.

    For dataclasses with these three fields, each a number of steps, "2 epochs" or "25%" of the run.
    """

    begin_step: Span
    end_step: Span
    frequency: Span

    def should_prune(self, step: int) -> bool:
        """Tell whether masks are refreshed before the batch of this step.

        Raises:
            PruningError: the schedule is not in plain steps yet.
        """
        begin_step, end_step, frequency = self.plain_steps()
        started = step >= begin_step
        ended = end_step != NO_END and step > end_step
        return started and not ended and (step - begin_step) % frequency == 0

    def in_steps(self, *, steps: int | None, steps_per_epoch: int | None, steps_per_execution: int = 1) -> Self:
        """Return this schedule in plain steps, for training of this length.

        What is written in steps stays as it is. The rest is rounded to whole steps such that a refresh is due at
        `end_step`, where the target is reached: a relative `end_step` down to a multiple of `frequency` after
        `begin_step`, not past the last step that can refresh masks; else a relative `begin_step` down, or up where
        it would be negative; `frequency` to at least 1. Of 940 steps in 4 epochs, at frequency 100:

            begin_step   end_step           begin_step   end_step
            "1 epoch"    "75%"       ->     235          635       (705 would not be due)
            "10%"        900         ->     0            900       (94 would not lead there)
            0            "100%"      ->     0            900

        Args:
            steps: batches of the whole run, None if that is not known.
            steps_per_epoch: batches of an epoch, None if that is not known.
            steps_per_execution: batches that Keras runs as one; masks are refreshed between these only.

        Raises:
            PruningError: a length that is needed is not known, or `end_step` comes no refresh after `begin_step`.
        """
        begin, end, frequency = (_parse(name, getattr(self, name)) for name in ("begin_step", "end_step", "frequency"))
        units = {"run": steps, "epoch": steps_per_epoch}
        first = _in_steps("begin_step", begin, units)
        every = max(1, _in_steps("frequency", frequency, units))
        last = _in_steps("end_step", end, units)
        if isinstance(end, RelativeSpan):
            if steps is not None:
                last = min(last, last_refresh_step(steps, steps_per_epoch, steps_per_execution))
            if last < first:
                problem = f"must not come before begin_step {self.begin_step!r}, step {first}"
                raise PruningError("end_step", f"{problem}; got {end.text!r}, step {last}")
            last = first + (last - first) // every * every
        elif isinstance(begin, RelativeSpan) and last > first:
            first = last - -(-(last - first) // every) * every
            first = first if first >= 0 else last % every
        try:
            return replace(self, begin_step=first, end_step=last, frequency=every)  # type: ignore[type-var]
        except PruningError as problem:
            written = f"{self.begin_step!r}, {self.end_step!r} and {self.frequency!r} are"
            raise PruningError(
                problem.subject,
                f"{problem.problem}; begin_step, end_step and frequency {written} {first}, {last} and {every} steps "
                "of this training",
            ) from problem

    def _check_timing(self, *, end_after_begin: bool = False) -> None:
        """Refuse what is wrong however long training is."""
        begin, end, frequency = (_parse(name, getattr(self, name)) for name in ("begin_step", "end_step", "frequency"))
        if isinstance(begin, int) and begin < 0:
            raise PruningError("begin_step", f"must be 0 or more; got {begin}")
        if isinstance(frequency, int) and frequency < 1:
            raise PruningError("frequency", f"must be 1 or more; got {frequency}")
        if not (isinstance(begin, int) and isinstance(end, int)):
            return
        if end_after_begin and end <= begin:
            raise PruningError("end_step", f"must be after begin_step; got {end}, with begin_step {begin}")
        if end != NO_END and end < begin:
            raise PruningError("end_step", f"must not come before begin_step {begin}; got {end} (-1 is no end)")

    @property
    def is_plain(self) -> bool:
        """Whether all is in plain steps, so that no length of training is needed."""
        return all(isinstance(span, int) for span in (self.begin_step, self.end_step, self.frequency))

    def plain_steps(self) -> tuple[int, int, int]:
        """Return `begin_step`, `end_step` and `frequency`, all of them steps.

        Raises:
            PruningError: one of them is not; call `in_steps` first.
        """
        begin_step, end_step, frequency = self.begin_step, self.end_step, self.frequency
        if isinstance(begin_step, int) and isinstance(end_step, int) and isinstance(frequency, int):
            return begin_step, end_step, frequency
        written = next(span for span in (begin_step, end_step, frequency) if isinstance(span, str))
        raise PruningError(
            "schedule", f"{written!r} means no step before the length of training is known; call in_steps first"
        )


def last_refresh_step(steps: int, steps_per_epoch: int | None = None, steps_per_execution: int = 1) -> int:
    """Return the last step before which masks can be refreshed: that at which the last group of batches begins.

    Keras runs `steps_per_execution` batches as one, and begins anew with each epoch: of two epochs of 10 batches
    in groups of 4, groups begin at 0, 4, 8, 10, 14 and 18.
    """
    epoch = steps if steps_per_epoch is None else steps_per_epoch
    in_last_epoch = (steps - 1) % epoch
    return steps - 1 - in_last_epoch % steps_per_execution


def _parse(name: str, span: Span) -> int | RelativeSpan:
    try:
        return parse_span(span)
    except UsageError as problem:
        raise PruningError(name, str(problem)) from problem


def _in_steps(name: str, span: int | RelativeSpan, units: dict[str, int | None]) -> int:
    if isinstance(span, int):
        return span
    unit_steps = units[span.unit]
    if unit_steps is None:
        raise PruningError(
            name, f"{span.text!r} means no step, since the data does not tell how long an epoch is; give steps"
        )
    return span.in_steps(unit_steps)
