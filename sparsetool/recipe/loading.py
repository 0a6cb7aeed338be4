"""Read and check a recipe: flags over the file, the file over defaults."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from sparsetool.recipe.consistency import problems
from sparsetool.recipe.flags import Key, flag_of, laid_over
from sparsetool.recipe.inheritance import filled
from sparsetool.recipe.training import SCHEDULES
from sparsetool.recipe.whole import Recipe
from sparsetool_converters.errors import RecipeError, UsageError


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A recipe and where its values come from.

    Attributes:
        recipe: with every value in its place.
        content: the keys that the file and flags give, as plain data.
        flags: those of them that flags give.
    """

    recipe: Recipe
    content: Mapping[str, Any]
    flags: frozenset[Key]


def load_recipe(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read and check a recipe; every key has its value, those of artifacts that of all where they have none.

    Args:
        path: the file; None for what flags and defaults say alone.
        overrides: values that flags gave, see `laid_over`; they count more than those of the file.

    Raises:
        RecipeError: the file cannot be read, is not TOML, has an unknown key or a value outside its range,
            names an artifact twice, compares one with none that comes before it, sets a limit for what is not
            measured, or has keys for training where nothing is trained, or the other way round.
        UsageError: the same of a flag, which the text names.
    """
    return read_recipe(path, overrides).recipe


def read_recipe(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Reading:
    """What `load_recipe` gives, and where each value comes from.

    Raises:
        RecipeError, UsageError: as `load_recipe`.
    """
    where = "" if path is None else str(path)
    content: Mapping[str, Any] = {} if path is None else _content(path)
    _checked(where, content, frozenset())
    content, flags = laid_over(content, overrides or {})
    recipe = _checked(where, content, flags)
    for key, text in problems(recipe):
        raise _refusal(where, tuple(int(k) if k.isdecimal() else k for k in key.split(".")), text, flags)
    return Reading(recipe=filled(recipe), content=content, flags=flags)


def _content(path: Path) -> Mapping[str, Any]:
    """Raises RecipeError if the file cannot be read, or is not TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise RecipeError(str(path), "", f"cannot be read: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise RecipeError(str(path), "", f"is not TOML: {problem}") from problem


def _checked(where: str, content: Mapping[str, Any], flags: frozenset[Key]) -> Recipe:
    """Raises RecipeError or UsageError for the first value that is wrong by itself."""
    try:
        return Recipe.model_validate(content)
    except ValidationError as problem:
        raise _refusal(where, *_first_problem(problem), flags) from problem


def _refusal(where: str, key: Key, text: str, flags: frozenset[Key]) -> UsageError:
    flag = flag_of(key, flags)
    return RecipeError(where, ".".join(map(str, key)), text) if flag is None else UsageError(f"{flag}: {text}")


def _first_problem(problem: ValidationError) -> tuple[Key, str]:
    errors = problem.errors(include_url=False)
    unknown = [e for e in errors if e["type"] == "extra_forbidden"]
    error = (unknown or errors)[0]
    # Inside a choice of sections, pydantic's location holds the chosen type's name, which is no key of the file.
    location = tuple(part for part in error["loc"] if part not in _TYPES)
    if error["type"] != "extra_forbidden":
        message = error["msg"].removeprefix("Value error, ")
        # Our own words hold the value where it matters; pydantic's never do, but for a limit that looks like it.
        is_told = error["type"] == "value_error" and (
            isinstance(error["input"], dict) or repr(error["input"]) in message
        )
        return location, message if is_told else f"{message}; got {error['input']!r}"
    known = _known_keys(Recipe, list(error["loc"][:-1]))
    near = difflib.get_close_matches(str(location[-1]), known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(known)}"
    return location, f"is not a known key{hint}"


_TYPES = {section.__name__.removesuffix("Section") for section in SCHEDULES}


def _known_keys(section: Any, location: list[str | int]) -> list[str]:
    """Names of the keys in the section that a location leads to."""
    for part in location:
        candidates = [section, *getattr(section, "__args__", ())]
        if isinstance(part, str):
            chosen = [c for c in candidates if getattr(c, "__name__", "") == f"{part}Section"]
            fields = [c.model_fields for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
            found = next((f[part].annotation for f in fields if part in f), None)
            section = chosen[0] if chosen else found
        else:
            section = candidates[1]
    for candidate in (section, *getattr(section, "__args__", ())):  # a section that may be left out is one or None
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return list(candidate.model_fields)
    return []
