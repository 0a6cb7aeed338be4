"""Quantization recipes as terminal tables."""

from collections.abc import Sequence

from rich.table import Table

from sparsetool.report.tables import plain_table
from sparsetool_converters.passes.recipes import Algorithm, QuantizationRecipe


def recipe_table(recipes: Sequence[QuantizationRecipe]) -> Table:
    """What each recipe that is offered makes of weights and activations."""
    table = plain_table("What --quantize takes")
    table.add_column("name", no_wrap=True)
    for column in ("weights", "activations", "calibration", "zeros stay"):
        table.add_column(column, overflow="fold")
    for r in recipes:
        if not r.refused:
            table.add_row(r.name, r.weights, r.activations, _word(r.needs_calibration, "needed", ""), _kept(r))
    return table


def algorithm_table(algorithms: Sequence[Algorithm], takers: Sequence[str]) -> Table:
    """The algorithms that are offered; under it, which recipes take one."""
    table = plain_table("Algorithms, as NAME+ALGORITHM")
    table.caption_justify = "left"
    table.caption = f"for {', '.join(takers)}; an operator that an algorithm does not know gets the default"
    table.add_column("algorithm", no_wrap=True)
    for column in ("what it does", "calibration", "zeros stay"):
        table.add_column(column, overflow="fold")
    for a in algorithms:
        if not a.refused:
            table.add_row(a.name, a.what, _word(a.needs_calibration, "needed", ""), _kept(a))
    return table


def refused_lines(recipes: Sequence[QuantizationRecipe], algorithms: Sequence[Algorithm]) -> list[str]:
    """What litert-quantizer has and is not offered, a line for each reason."""
    reasons: dict[str, list[str]] = {}
    every: list[QuantizationRecipe | Algorithm] = [*recipes, *algorithms]
    for each in every:
        if each.refused:
            reasons.setdefault(each.refused, []).append(each.name)
    return [f"not offered: {', '.join(names)}: {reason}" for reason, names in reasons.items()]


def _kept(each: QuantizationRecipe | Algorithm) -> str:
    return _word(each.keeps_zeros, "yes", "no")


def _word(value: bool, yes: str, no: str) -> str:
    return yes if value else no
