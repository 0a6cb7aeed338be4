"""What a recipe and flags come to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsetool.recipe import listed, read_recipe
from sparsetool.report.config_record import ConfigRecord


def read_configuration(path: Path, overrides: Mapping[str, Any], *, resolved: bool) -> ConfigRecord:
    """The values of a recipe and where they come from, nothing carried out.

    Raises:
        RecipeError, UsageError: as `load_recipe`.
    """
    values, sources = listed(read_recipe(path, overrides), resolved=resolved)
    return ConfigRecord(recipe=str(path), resolved=resolved, values=values, sources=sources)
