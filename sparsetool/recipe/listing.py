"""All values of a recipe as plain data, and where each comes from."""

from collections.abc import Iterator, Mapping
from typing import Any

from sparsetool.recipe.flags import Key
from sparsetool.recipe.inheritance import inherited_from
from sparsetool.recipe.loading import Reading

FLAG, RECIPE, DEFAULT = "flag", "recipe", "default"


def listed(reading: Reading, *, resolved: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """The values, and by dotted key where each comes from: "flag", "recipe" or "default".

    What an artifact takes from [convert], [verify] or [sizes] comes from where these have it.

    Args:
        reading: the recipe.
        resolved: all values; otherwise those that the file and flags give, as they are written there. A key that has
            no value, or means nothing for this recipe, is left out.
    """
    values = _resolved(reading) if resolved else dict(reading.content)
    return values, {".".join(map(str, key)): _origin(reading, key) for key in _leaves(values)}


def _resolved(reading: Reading) -> dict[str, Any]:
    recipe = reading.recipe
    values: dict[str, Any] = recipe.model_dump(mode="json", exclude_none=True)
    if not recipe.trains:
        values["convert"].pop("calibration_samples")
        for artifact in values["artifacts"]:
            artifact.pop("checkpoint")
    values["artifacts"] = [{"name": artifact["name"], **artifact} for artifact in values["artifacts"]]
    return {name: _filled(value) for name, value in values.items() if _filled(value)}


def _filled(value: Any) -> Any:
    """The value without tables that hold nothing."""
    if isinstance(value, Mapping):
        return {name: _filled(one) for name, one in value.items() if not isinstance(one, Mapping) or _filled(one)}
    return [_filled(one) for one in value] if isinstance(value, list) else value


def _leaves(values: Any, key: Key = ()) -> Iterator[Key]:
    """Keys of what is no table; a list is one value, but for that of the artifacts."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from _leaves(value, (*key, name))
    elif key == ("artifacts",):
        for i, value in enumerate(values):
            yield from _leaves(value, (*key, i))
    else:
        yield key


def _origin(reading: Reading, key: Key) -> str:
    for place in (key, *inherited_from(key)):
        if place in reading.flags:
            return FLAG
        if _holds(reading.content, place):
            return RECIPE
    return DEFAULT


def _holds(content: Any, key: Key) -> bool:
    for part in key:
        if isinstance(part, str) and part not in content:
            return False
        content = content[part]
    return True
