"""The schedule that a recipe describes, which may be a function in a file beside it."""

from pathlib import Path

from sparsetool.pipeline.user_model import load_module
from sparsetool.prune import CallableSchedule, ConstantSparsity, PolynomialDecay, Schedule
from sparsetool.recipe import CallableScheduleSection, ConstantSparsitySection, PruneSection
from sparsetool_converters.errors import UsageError


def schedule_of(section: PruneSection, home: Path) -> Schedule:
    """The schedule of a recipe's pruning phase, as it is written there.

    Args:
        section: the pruning phase.
        home: the folder of the recipe.

    Raises:
        UsageError: the file of a function is not there, fails, or has no such function.
        PruningError: steps that cannot be, however long training is.
    """
    described = section.schedule
    fields = described.model_dump(exclude={"type", "function"})
    if isinstance(described, ConstantSparsitySection):
        return ConstantSparsity(**fields)
    if not isinstance(described, CallableScheduleSection):
        return PolynomialDecay(**fields)
    path, name = _place(described, home)
    if not path.is_file():
        raise UsageError(
            f"{path}: no such file; the recipe's prune.schedule.function must name one, as in curve.py:curve"
        )
    function = getattr(load_module(path), name, None)
    if not callable(function):
        raise UsageError(f"{path}: has no function {name}(); the recipe's prune.schedule.function names it")
    return CallableSchedule(function, **fields)


def schedule_source(section: PruneSection, home: Path) -> bytes:
    """Content of the file that the schedule's function is in, on which results depend; empty if it is none."""
    if not isinstance(section.schedule, CallableScheduleSection):
        return b""
    path, _ = _place(section.schedule, home)
    return path.read_bytes()


def _place(described: CallableScheduleSection, home: Path) -> tuple[Path, str]:
    file, _, name = described.function.rpartition(":")
    return home / file, name
