"""Flags that count more than the recipe, and what they give."""

from typing import Annotated, Any

import typer

from sparsetool.cli.conversion_commands import Failure
from sparsetool.cli.options import Goal
from sparsetool_converters.errors import UsageError

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
BudgetFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        metavar="[ARTIFACT:]KIND=SIZE",
        help="Sizes not to exceed, as disk=1.2MB,wire=600KB, of every artifact, or as int8:disk=40KB of one; may be "
        "given again.",
    ),
]


def overrides_of(
    *,
    target: str | None,
    objective: Goal | None,
    timeout: float | None,
    on_failure: Failure | None,
    budget: list[str] | None,
) -> dict[str, Any]:
    """The flags that were given, by section and key as a recipe has them.

    Raises:
        UsageError: a budget that is none, or a size that is limited twice.
    """
    given = {
        "convert": {"target": target, "objective": None if objective is None else objective.value},
        "verify": {"timeout_s": timeout, "on_failure": None if on_failure is None else on_failure.value},
    }
    kept = {s: {key: value for key, value in keys.items() if value is not None} for s, keys in given.items()}
    return {section: keys for section, keys in kept.items() if keys} | _budgets(budget or [])


def _budgets(texts: list[str]) -> dict[str, Any]:
    from dataclasses import asdict

    from sparsetool.budget import Budget

    limits: dict[str, dict[str, int]] = {}
    for text in texts:
        artifact, _, sizes = text.rpartition(":")
        known = limits.setdefault(artifact, {})
        for kind, limit in asdict(Budget.parse(sizes)).items():
            if limit is not None and known.setdefault(kind, limit) != limit:
                raise UsageError(f"--budget {text}: {kind} is limited to {known[kind]:,} bytes already; give it once")
    of_all = limits.pop("", None)
    found: dict[str, Any] = {} if of_all is None else {"sizes": {"budget": of_all}}
    return found | ({"artifacts": {name: {"budget": sizes} for name, sizes in limits.items()}} if limits else {})
