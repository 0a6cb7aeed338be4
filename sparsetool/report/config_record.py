"""What a recipe says, key by key."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ConfigRecord:
    """The values of a recipe, flags over the file over defaults.

    Attributes:
        recipe: the file, as it was named.
        resolved: whether all values are told, or only those that the file and flags give.
        values: by section and key, as the recipe has them; see the schema of a recipe.
        sources: where each value comes from, "flag", "recipe" or "default", by its dotted key.
    """

    recipe: str
    resolved: bool
    values: dict[str, Any]
    sources: dict[str, str]
