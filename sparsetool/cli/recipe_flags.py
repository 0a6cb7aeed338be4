"""Flags that count more than the recipe, and what they give."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sparsetool.cli.options import Failure, Goal

TargetFlag = Annotated[
    str | None,
    typer.Option(
        "--target", help="litert, portable or tflm: the runtime that the files are for, in place of the recipe's."
    ),
]
ObjectiveFlag = Annotated[Goal | None, typer.Option("--objective", help="What encoding makes small, likewise.")]
TimeoutFlag = Annotated[
    float | None, typer.Option("--timeout", min=1, help="Seconds for each run of a model, likewise.")
]
FailureFlag = Annotated[
    Failure | None,
    typer.Option("--on-failure", help="What becomes of a weight that breaks verification, for every artifact."),
]


def overrides_of(
    *,
    target: str | None,
    objective: Goal | None,
    timeout: float | None,
    on_failure: Failure | None,
    budget: list[str] | None,
    baseline: Path | None,
    max_regression: str | None,
) -> dict[str, Any]:
    """The flags that were given, by section and key as a recipe has them.

    Raises:
        UsageError: a budget that is none.
    """
    from sparsetool.budget import Budgets

    budgets = Budgets.parse(budget or ())
    given_keys: dict[str, dict[str, Any]] = {
        "convert": {"target": target, "objective": objective},
        "verify": {"timeout_s": timeout, "on_failure": on_failure},
        "sizes": {
            # The recipe's own is relative to the recipe, this one to where the command runs.
            "baseline": None if baseline is None else str(baseline.absolute()),
            "max_regression": max_regression,
            "budget": budgets.every.limits or None,
        },
        "artifacts": {name: {"budget": own.limits} for name, own in budgets.own.items()},
    }
    return given(given_keys)


def given(keys: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those keys that have a value, by their sections, as plain data."""
    kept = {
        section: {key: str(v) if isinstance(v, StrEnum) else v for key, v in values.items() if v is not None}
        for section, values in keys.items()
    }
    return {section: values for section, values in kept.items() if values}
