"""Which variables of a Keras model are pruned, with the reason for every one that is not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import keras

from sparsetool.prune.errors import PruningError

# Layers whose kernel has its output axis last and its input axis before it, and becomes a FULLY_CONNECTED or
# CONV_2D weight whose output axis is first: moving that one axis is all that lies between the two layouts.
PRUNABLE_LAYERS = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D)


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A trainable variable that is left alone.

    Attributes:
        variable: its path.
        reason: why.
    """

    variable: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is pruned and what is not; together, every trainable variable of the model, in its order.

    Attributes:
        pruned: the Keras variables to prune.
        skipped: all others.
    """

    pruned: tuple[keras.Variable, ...]
    skipped: tuple[Skipped, ...]


def select_variables(model: keras.Model, *, include: Sequence[str] = ("*",), exclude: Sequence[str] = ()) -> Selection:
    """Choose the kernels of Dense, Conv1D and Conv2D layers, however deep they are nested.

    Args:
        model: a built Keras model.
        include: glob patterns on the path of a variable ("hidden/kernel"), of which one must match.
        exclude: glob patterns of which none may match.

    Raises:
        PruningError: the model is not built, a pattern matches no trainable variable, or nothing is left.
    """
    variables = model.trainable_variables
    if not model.built or not variables:
        raise PruningError(model.name, "has no trainable variables yet; build it or call it once first")
    paths = [variable.path for variable in variables]
    for pattern in (*include, *exclude):
        if not any(fnmatchcase(path, pattern) for path in paths):
            raise PruningError(
                "include/exclude", f"{pattern!r} matches no trainable variable; there are {', '.join(paths)}"
            )
    kernels = {id(variable): layer for layer, variable in _kernels(model)}
    pruned, skipped = [], []
    for variable in variables:
        reason = _reason_to_skip(variable, kernels.get(id(variable)), include, exclude)
        if reason:
            skipped.append(Skipped(variable=variable.path, reason=reason))
        else:
            pruned.append(variable)
    if not pruned:
        reasons = "; ".join(f"{skip.variable} {skip.reason}" for skip in skipped)
        raise PruningError(model.name, f"nothing is left to prune: {reasons}")
    return Selection(pruned=tuple(pruned), skipped=tuple(skipped))


def _reason_to_skip(
    variable: keras.Variable, layer: keras.Layer | None, include: Sequence[str], exclude: Sequence[str]
) -> str:
    excluding = next((pattern for pattern in exclude if fnmatchcase(variable.path, pattern)), None)
    if excluding is not None:
        return f"is excluded by {excluding!r}"
    if not any(fnmatchcase(variable.path, pattern) for pattern in include):
        return "is not included"
    if layer is None:
        return f"is not a kernel (it has {len(variable.shape)} axes and is named {variable.name!r})"
    if not isinstance(layer, PRUNABLE_LAYERS):
        return f"belongs to a {type(layer).__name__}, which is not pruned"
    return ""


def _kernels(model: keras.Model) -> Iterator[tuple[keras.Layer, keras.Variable]]:
    for layer in model._flatten_layers(include_self=True, recursive=True):
        for variable in layer._trainable_variables:  # its own, not those of the layers inside it
            if variable.name == "kernel" and len(variable.shape) >= 2:
                yield layer, variable
