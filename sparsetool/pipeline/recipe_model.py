"""What a command needs of a recipe, which another may leave out."""

from pathlib import Path

from sparsetool.recipe import Phases, Recipe
from sparsetool_converters.errors import RecipeError


def source_of(recipe: Recipe, path: Path) -> Path:
    """Where the model of a recipe is.

    Raises:
        RecipeError: the recipe names none.
    """
    if recipe.model is None:
        raise RecipeError(str(path), "model", "is missing; name the model in model.source")
    return path.parent / recipe.model.source


def phases_of(recipe: Recipe, path: Path) -> Phases:
    """How the model of a recipe is trained and pruned.

    Raises:
        RecipeError: the recipe names no model, or one that is not trained.
    """
    source = source_of(recipe, path)
    if recipe.phases is None:
        raise RecipeError(
            str(path), "model.source", f"must name a Python file with build() and data() to train; got {source.name!r}"
        )
    return recipe.phases


def check_artifacts(recipe: Recipe, path: Path) -> None:
    """Raise RecipeError if a recipe has no file to make."""
    if not recipe.artifacts:
        raise RecipeError(str(path), "artifacts", "is missing; write [[artifacts]] and a name for each file to make")
