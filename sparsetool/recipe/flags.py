"""Flags of the command line over the keys of a recipe."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from sparsetool_converters.errors import UsageError

Key = tuple[str | int, ...]

# The keys that flags give, by the flag's name.
FLAGS: Mapping[Key, str] = {
    ("convert", "target"): "--target",
    ("convert", "objective"): "--objective",
    ("convert", "quantize"): "--quantize",
    ("convert", "quantize_layers"): "--quantize-layer",
    ("convert", "allow_zero_loss"): "--allow-zero-loss",
    ("convert", "calibration"): "--calibration",
    ("verify", "samples"): "--samples",
    ("verify", "timeout_s"): "--timeout",
    ("verify", "on_failure"): "--on-failure",
    ("sizes", "baseline"): "--baseline",
    ("sizes", "max_regression"): "--max-regression",
    ("sizes", "budget"): "--budget",
    ("artifacts",): "--budget",
}


def flag_of(key: Key, given: frozenset[Key]) -> str | None:
    """The flag that gave a key or one around or inside it, None if the recipe's file did."""
    if not any(key[: len(k)] == k or k[: len(key)] == key for k in given):
        return None
    return next((flag for prefix, flag in FLAGS.items() if key[: len(prefix)] == prefix), None)


def laid_over(content: Mapping[str, Any], flags: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[Key]]:
    """A recipe's plain data with flags over it, and the keys that are theirs.

    A flag of [convert], [verify] or [sizes] counts for every artifact, whatever the artifact's own key says.

    Args:
        content: the recipe, whose values were checked.
        flags: values by section and key, as the recipe has them; those of artifacts by the artifact's name, as
            {"verify": {"timeout_s": 60.0}, "artifacts": {"int8": {"budget": {"disk": 40000}}}}.

    Raises:
        UsageError: a flag is about an artifact that the recipe does not have.
    """
    merged: dict[str, Any] = deepcopy(dict(content))
    artifacts = merged.get("artifacts", [])
    for_all = {section: keys for section, keys in flags.items() if section != "artifacts"}
    _lay(merged, for_all)
    for artifact in artifacts:
        for key in (*for_all.get("convert", {}), *for_all.get("verify", {})):
            artifact.pop(key, None)
        for kind in for_all.get("sizes", {}).get("budget", {}):
            artifact.get("budget", {}).pop(kind, None)
    given = set(_leaves(for_all))
    names = [artifact["name"] for artifact in artifacts]
    for name, keys in flags.get("artifacts", {}).items():
        if name not in names:
            known = ", ".join(names) or "none"
            raise UsageError(f"{FLAGS['artifacts',]}: the recipe has no artifact {name!r}; known: {known}")
        _lay(artifacts[names.index(name)], keys)
        given |= {("artifacts", names.index(name), *key) for key in _leaves(keys)}
    return merged, frozenset(given)


def _lay(under: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, Mapping):
            _lay(under.setdefault(key, {}), value)
        else:
            under[key] = value


def _leaves(data: Mapping[str, Any]) -> Iterator[Key]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from ((key, *rest) for rest in _leaves(value))
        else:
            yield (key,)
