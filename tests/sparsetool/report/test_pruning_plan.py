"""The tables of a dry run show what its record says."""

import io

import pytest
from rich.console import Console

from sparsetool.report.pruning_plan import (
    LeftAlone,
    PlannedRefresh,
    PlannedVariable,
    PruningPlan,
    choice_table,
    plan_summary,
    refresh_table,
)


def rendered(table):
    console = Console(file=io.StringIO(), width=160, markup=False, emoji=False, highlight=False)
    console.print(table)
    return console.file.getvalue()


def plan(refreshes):
    return PruningPlan(
        recipe="net",
        schedule="PolynomialDecay(...)",
        epochs=4,
        steps=1000,
        steps_per_epoch=250,
        refreshes=tuple(
            PlannedRefresh(step=10 * i, epoch=10 * i / 250, sparsity=i / refreshes) for i in range(refreshes)
        ),
        variables=(
            PlannedVariable(variable="hidden/kernel", shape=(3, 7, 50), weights=1050, target_zeros=840),
            PlannedVariable(variable="ranked/kernel", shape=(7, 5), weights=35, target_zeros=None),
        ),
        skipped=(LeftAlone(variable="hidden/bias", reason="has 1 axis, as a bias or a scale has"),),
    )


def rows(text):
    return [line.split() for line in text.splitlines() if line.strip()[:1].isdigit()]


@pytest.mark.parametrize(("refreshes", "shown"), [(1, 1), (2, 2), (20, 20), (21, 20), (81, 20), (5000, 20)])
def test_of_many_refreshes_twenty_are_shown_the_first_and_the_last_among_them(refreshes, shown):
    found = rows(rendered(refresh_table(plan(refreshes))))
    numbers = [int(row[0].replace(",", "")) for row in found]
    assert len(numbers) == len(set(numbers)) == shown
    assert (numbers[0], numbers[-1]) == (1, refreshes)


def test_a_refresh_has_its_step_epoch_and_sparsity_and_a_bar_of_that_length():
    found = rows(rendered(refresh_table(plan(4))))
    assert [row[:4] for row in found] == [
        ["1", "0", "0.00", "0.00%"],
        ["2", "10", "0.04", "25.00%"],
        ["3", "20", "0.08", "50.00%"],
        ["4", "30", "0.12", "75.00%"],
    ]
    assert [len(row[4]) if len(row) > 4 else 0 for row in found] == [0, 10, 20, 30]


def test_the_summary_holds_the_schedule_against_the_length_of_training():
    assert plan_summary(plan(51)) == (
        "schedule: PolynomialDecay(...)",
        "training: 1,000 steps; epochs: 4 of 250 steps",
        "refreshes: 51, from 0% to 50% of the run; 500 steps are left to train at the last sparsity",
    )


def test_every_variable_has_its_zeros_or_the_reason_why_it_is_left_alone():
    text = rendered(choice_table(plan(2)))
    (pruned,) = (line for line in text.splitlines() if "hidden/kernel" in line)
    assert pruned.split() == ["hidden/kernel", "3x7x50", "1,050", "840", "80.00%"]
    (ranked,) = (line for line in text.splitlines() if "ranked/kernel" in line)
    assert ranked.split() == ["ranked/kernel", "7x5", "35", "as", "it", "ranks"]
    (left,) = (line for line in text.splitlines() if "hidden/bias" in line)
    assert "has 1 axis, as a bias or a scale has" in left
