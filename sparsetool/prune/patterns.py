"""Glob patterns on the paths of variables, and what to say of one that matches nothing."""

import difflib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from sparsetool.prune.errors import PruningError
from sparsetool.prune.model_weights import ModelWeight

_LISTED = 8  # an error names no more than these


def matching(patterns: Sequence[str], path: str) -> Iterator[str]:
    """Those of the patterns that match the whole path.

    The "*/" that a pattern begins with may stand for nothing, too: "*/head/kernel" matches "head/kernel", as the paths
    of functional models and of loaded ones lack the model's name.
    """
    return (pattern for pattern in patterns if fnmatchcase(path, pattern) or fnmatchcase(f"/{path}", pattern))


def check_patterns(
    argument: str, patterns: Sequence[str], weights: Sequence[ModelWeight], *, layers: Sequence[str] = ()
) -> None:
    """Refuse a pattern that matches no variable.

    Args:
        argument: what the patterns are given by, for the error.
        patterns: globs.
        weights: what they may match.
        layers: class names of which a variable must have one, too; empty for any.

    Raises:
        PruningError: a pattern, or the name of a layer, that matches nothing; names what is near. Or one text instead
            of a sequence.
    """
    if isinstance(patterns, str):
        raise PruningError(argument, f"must be several patterns, as in [{patterns!r}]; got {patterns!r}")
    kinds = sorted(frozenset().union(*(weight.kinds for weight in weights)))
    for name in layers:
        if name not in kinds:
            near = difflib.get_close_matches(name, kinds)
            hint = f"did you mean {' or '.join(near)}?" if near else "no layer of that class has weights"
            raise PruningError(argument, f"{name!r} is the class of no layer with trainable variables; {hint}")
    for pattern in patterns:
        matched = [weight for weight in weights if any(matching((pattern,), weight.path))]
        if not matched:
            paths = [weight.path for weight in weights]
            raise PruningError(argument, f"{pattern!r} matches no trainable variable; {_near(pattern, paths)}")
        if layers and all(weight.kinds.isdisjoint(layers) for weight in matched):
            problem = f"{pattern!r} matches no trainable variable of {' or '.join(layers)}; it matches "
            raise PruningError(argument, problem + listed([weight.path for weight in matched]))


def _near(pattern: str, paths: Sequence[str]) -> str:
    """The paths that hold something like the plain text of a pattern, or the first of all paths."""
    parts = {part: path for path in reversed(paths) for part in _parts(path)}
    near = difflib.get_close_matches(pattern.strip("*/"), parts)
    if near:
        return f"near it are {listed(list(dict.fromkeys(parts[part] for part in near)))}"
    return f"there are {listed(paths)}"


def _parts(path: str) -> Iterator[str]:
    """All runs of names in a path: a, a/b, a/b/c, b, b/c and c of a/b/c."""
    names = path.split("/")
    return ("/".join(names[i:j]) for i in range(len(names)) for j in range(i + 1, len(names) + 1))


def listed(texts: Sequence[str]) -> str:
    """The first of these, and how many there are more."""
    more = f" and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
    return ", ".join(texts[:_LISTED]) + more
