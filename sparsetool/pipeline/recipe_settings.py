"""What a recipe says of one artifact, in the words of those who do it."""

from pathlib import Path

from sparsetool.budget import Budget, Budgets
from sparsetool.pipeline.conversion import Settings
from sparsetool.pipeline.size_gate import SizeGate, size_gate
from sparsetool.recipe import OUTPUT_GATES, ArtifactSection, Recipe
from sparsetool.verify import Tolerance
from sparsetool_converters.passes.quantize_layers import LayerRecipe


def settings_of(recipe: Recipe, section: ArtifactSection) -> Settings:
    """What is done to its model."""
    return Settings(
        quantize=section.quantize,
        quantize_layers=tuple(LayerRecipe(pattern=s.pattern, recipe=s.recipe) for s in section.quantize_layers),
        allow_zero_loss=section.allow_zero_loss,
        compact=section.compact,
        encode=section.encode,
        objective=recipe.convert.objective,
        target=recipe.convert.target,
        on_failure=section.on_failure,
    )


def limits_of(section: ArtifactSection) -> Tolerance:
    """What its outputs must keep end to end."""
    return Tolerance(**section.model_dump(include=set(OUTPUT_GATES)))


def gate_of(recipe: Recipe, home: Path, *, flags: Budgets | None = None, updates: bool = False) -> SizeGate:
    """Limits on the sizes of all its artifacts.

    Args:
        recipe: the recipe, every value in its place.
        home: the recipe's folder.
        flags: limits that count more than the recipe's.
        updates: whether growth is accepted.

    Raises:
        UsageError: the baseline is not there, or damaged, or something is asked of none.
    """
    sizes = recipe.sizes
    own = {section.name: Budget(**section.budget.model_dump()) for section in recipe.artifacts}
    budgets = Budgets(every=Budget(**sizes.budget.model_dump()), own=own)
    return size_gate(
        (flags or Budgets()).over(budgets),
        baseline=None if sizes.baseline is None else home / sizes.baseline,
        max_regression=sizes.max_regression,
        updates=updates,
    )
