"""Whether a schedule does in a given training what it promises, before that is begun."""

from sparsetool.prune.errors import PruningError
from sparsetool.prune.schedules import CallableSchedule, Schedule, last_due_step
from sparsetool.prune.timing import Timed, last_refresh_step


def schedule_in_steps(
    schedule: Schedule, *, steps: int | None, steps_per_epoch: int | None, steps_per_execution: int = 1
) -> Schedule:
    """Return any schedule in plain steps: one of a user's own, which knows nothing else, as it is.

    Args:
        schedule: a schedule.
        steps: batches of the whole run, None if that is not known.
        steps_per_epoch: batches of an epoch, None if that is not known.
        steps_per_execution: batches that Keras runs as one.

    Raises:
        PruningError: see `Timed.in_steps`.
    """
    if not isinstance(schedule, Timed):
        return schedule
    return schedule.in_steps(steps=steps, steps_per_epoch=steps_per_epoch, steps_per_execution=steps_per_execution)


def check_schedule(
    schedule: Schedule, steps: int, *, steps_per_epoch: int | None = None, steps_per_execution: int = 1
) -> None:
    """Refuse a schedule that prunes nothing in training of this length, or never reaches its target.

    Args:
        schedule: a schedule in plain steps.
        steps: batches of the whole run, those of earlier calls of `fit` included.
        steps_per_epoch: batches of an epoch; only matters together with the next.
        steps_per_execution: batches that Keras runs as one; masks are refreshed between these only.

    Raises:
        PruningError: no refresh is due at any step, or the last that is due has another sparsity than the target;
            with the way out.
    """
    last = last_refresh_step(steps, steps_per_epoch, steps_per_execution)
    plan = f"the last step of this training that can refresh masks is {last}"
    due = last_due_step(schedule, 0, last)
    if due is None:
        raise PruningError("schedule", f"never prunes: {plan}, before the first one of {schedule}; begin earlier")
    if schedule.target == 0:
        raise PruningError("schedule", f"never prunes: it ends at sparsity 0, by {schedule}; ask for more")
    sparsity = schedule.sparsity(due)
    if sparsity != schedule.target:
        raise PruningError(
            "schedule",
            f"never reaches its target: {plan}, the last refresh is at step {due} with sparsity "
            f"{sparsity:.4f} of {schedule.target}; {_way_out(schedule, last)}",
        )


def _way_out(schedule: Schedule, last: int) -> str:
    if not isinstance(schedule, Timed):
        return "train longer, or let it reach its target earlier"
    begin_step, end_step, frequency = schedule.plain_steps()
    before = begin_step + (min(end_step, last) - begin_step) // frequency * frequency
    if end_step > last:
        earlier = f"let end_step be {before}" if before > begin_step else "lower frequency"
        return f'train for more than {end_step} steps, or {earlier}; end_step = "100%" always fits'
    if isinstance(schedule, CallableSchedule):
        return f"let a refresh be due at end_step {end_step}, where the function gives the target"
    neighbours = f"{before} and {before + frequency} are"
    return f"end_step {end_step} is no multiple of frequency {frequency} after begin_step {begin_step}; {neighbours}"
