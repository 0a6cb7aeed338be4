"""What a pruning phase would do: as a record, and as tables with the schedule drawn in bars."""

from dataclasses import dataclass

from rich.progress_bar import ProgressBar
from rich.table import Table

from sparsetool.report.tables import plain_table

MOST_ROWS = 20
BAR_WIDTH = 40


@dataclass(frozen=True, kw_only=True)
class PlannedRefresh:
    """One refresh of the masks.

    Attributes:
        step: batches done before.
        epoch: the same in epochs.
        sparsity: share of blocks that it leaves at zero.
    """

    step: int
    epoch: float
    sparsity: float


@dataclass(frozen=True, kw_only=True)
class PlannedVariable:
    """One variable that would be pruned.

    Attributes:
        variable: its path.
        shape: its shape, in the layout of Keras.
        weights: how many weights it has.
        target_zeros: how many of them would be zero at the end; None where that depends on how all variables rank.
    """

    variable: str
    shape: tuple[int, ...]
    weights: int
    target_zeros: int | None


@dataclass(frozen=True, kw_only=True)
class LeftAlone:
    """One variable that would not.

    Attributes:
        variable: its path.
        reason: why.
    """

    variable: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PruningPlan:
    """A pruning phase that was not carried out.

    Attributes:
        recipe: the name that the recipe gives itself, or that of its file.
        schedule: as Python would write it, in plain steps.
        epochs: passes over the training data.
        steps: batches of all of them.
        steps_per_epoch: batches of one.
        refreshes: every refresh of the masks, in order.
        variables: what would be pruned, in the order of the model.
        skipped: every other trainable variable.
    """

    recipe: str
    schedule: str
    epochs: int
    steps: int
    steps_per_epoch: int
    refreshes: tuple[PlannedRefresh, ...]
    variables: tuple[PlannedVariable, ...]
    skipped: tuple[LeftAlone, ...]


def refresh_table(plan: PruningPlan) -> Table:
    """The refreshes, of very many about twenty, the last always among them; their sparsity in figures and as bars."""
    table = plain_table("Refreshes of the masks")
    table.add_column("refresh", justify="right", no_wrap=True)
    table.add_column("before step", justify="right", no_wrap=True)
    table.add_column("epoch", justify="right", no_wrap=True)
    table.add_column("sparsity", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=BAR_WIDTH)
    count = len(plan.refreshes)
    rows = min(count, MOST_ROWS)
    for index in (round(row * (count - 1) / max(rows - 1, 1)) for row in range(rows)):
        refresh = plan.refreshes[index]
        table.add_row(
            f"{index + 1:,}",
            f"{refresh.step:,}",
            f"{refresh.epoch:.2f}",
            f"{refresh.sparsity:.2%}",
            ProgressBar(total=1.0, completed=refresh.sparsity, width=BAR_WIDTH),
        )
    return table


def plan_summary(plan: PruningPlan) -> tuple[str, ...]:
    """The schedule against the length of training, in lines."""
    first, last = plan.refreshes[0], plan.refreshes[-1]
    return (
        f"schedule: {plan.schedule}",
        f"training: {plan.steps:,} steps; epochs: {plan.epochs:,} of {plan.steps_per_epoch:,} steps",
        f"refreshes: {len(plan.refreshes):,}, from {first.step / plan.steps:.0%} to {last.step / plan.steps:.0%} of "
        f"the run; {plan.steps - last.step:,} steps are left to train at the last sparsity",
    )


def choice_table(plan: PruningPlan) -> Table:
    """What would be pruned, and to how many zeros; then what is left alone, and why."""
    table = plain_table("Variables")
    table.add_column("variable", overflow="fold")
    table.add_column("shape", no_wrap=True)
    for column in ("weights", "zeros at the end", "sparsity"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("left alone", overflow="fold")
    for planned in plan.variables:
        zeros = planned.target_zeros
        ends = ("as it ranks", "") if zeros is None else (f"{zeros:,}", f"{zeros / planned.weights:.2%}")
        table.add_row(planned.variable, "x".join(map(str, planned.shape)), f"{planned.weights:,}", *ends)
    for left in plan.skipped:
        table.add_row(left.variable, "", "", "", "", left.reason)
    return table
