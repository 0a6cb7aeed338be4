"""Which variables of a Keras model are pruned and how, with the reason for every one that is not."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras

from sparsetool.prune.errors import PruningError
from sparsetool.prune.layouts import Layout, layout_of, why_no_layout
from sparsetool.prune.model_weights import ModelWeight, model_weights, unbuilt_layers
from sparsetool.prune.patterns import check_patterns, listed, matching
from sparsetool.prune.rules import Rule, check_structure
from sparsetool.prune.structures import ELEMENT, WAY_OUT, Channels, Structure


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A variable that is left alone, or a layer that has none yet.

    Attributes:
        variable: its path, or the name of the layer.
        reason: why, a clause that begins with a verb.
    """

    variable: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A variable that is pruned.

    Attributes:
        variable: the Keras variable.
        layout: how it lies on the TFLite layout, where masks are made.
        structure: what is pruned or kept as one.
        target_sparsity: sparsity at the end of the schedule; None for the schedule's own.
    """

    variable: keras.Variable
    layout: Layout
    structure: Structure
    target_sparsity: float | None = None


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is pruned and what is not; together, every variable that was made to be trained, in the model's order.

    Attributes:
        pruned: the variables to prune.
        skipped: all others.
    """

    pruned: tuple[Chosen, ...]
    skipped: tuple[Skipped, ...]


def select_variables(
    model: keras.Model,
    *,
    structure: Structure = ELEMENT,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    rules: Sequence[Rule] = (),
) -> Selection:
    """Choose the weights that inputs are multiplied with, however deep their layers are nested, each once.

    Args:
        model: a built Keras model of any kind.
        structure: what is pruned or kept as one.
        include: glob patterns on the path of a variable ("*/hidden/kernel"), of which one must match; a leading "*/"
            may stand for nothing.
        exclude: glob patterns of which none may match.
        rules: what holds for some variables only.

    Raises:
        PruningError: the model is not built, a pattern or a layer's name matches nothing, a structure does not divide
            a shape, or nothing is left.
    """
    check_structure(structure, "structure")
    weights = model_weights(model)
    if not weights:
        raise PruningError(model.name, "has no trainable variables yet; build it or call it once first")
    check_patterns("include", include, weights)
    check_patterns("exclude", exclude, weights)
    for rule in rules:
        check_patterns("rules", (rule.pattern,), weights, layers=rule.layers)
    pruned, skipped = [], []
    for weight in weights:
        made = _decide(weight, structure, include, exclude, rules)
        if isinstance(made, str):
            skipped.append(Skipped(variable=weight.path, reason=made))
        else:
            pruned.append(made)
    skipped += [
        Skipped(variable=name, reason="is not built, so it has no weights yet") for name in unbuilt_layers(model)
    ]
    if not pruned:
        reasons = listed([f"{skip.variable} {skip.reason}" for skip in skipped])
        raise PruningError(model.name, f"nothing is left to prune: {reasons}")
    return Selection(pruned=tuple(pruned), skipped=tuple(skipped))


def _decide(
    weight: ModelWeight, structure: Structure, include: Sequence[str], exclude: Sequence[str], rules: Sequence[Rule]
) -> Chosen | str:
    """What is made of one variable: how it is pruned, or why it is not."""
    excluding = next(matching(exclude, weight.path), None)
    if excluding is not None:
        return f"is excluded by {excluding!r}"
    if next(matching(include, weight.path), None) is None:
        return "is not included"
    if weight.frozen:
        return "is frozen: it, or a layer that it is in, is not trainable"
    if not keras.backend.is_float_dtype(weight.variable.dtype):
        return f"is {weight.variable.dtype}, not floating"
    layout = _layout(weight)
    if layout is None:
        return why_no_layout(weight.holders[0] if weight.holders else None, weight.variable)
    applying = [rule for rule in rules if _applies(rule, weight, layout)]
    verdict = next((rule for rule in reversed(applying) if rule.prune is not None), None)
    if verdict is not None and not verdict.prune:
        return verdict.reason or f"is left alone by the rule for {verdict.pattern!r}"
    return _fit(weight, layout, structure, applying)


def _fit(weight: ModelWeight, layout: Layout, structure: Structure, applying: Sequence[Rule]) -> Chosen | str:
    shaping = next((rule for rule in reversed(applying) if rule.structure is not None), Rule(structure=structure))
    structure = shaping.structure or structure
    columns = layout.tflite_shape[-1]
    if shaping.max_columns is not None and columns > shaping.max_columns:
        return f"has {columns:,} columns, more than {shaping.max_columns:,}{_because(shaping)}"
    try:
        _check_fit(layout.tflite_shape, structure, weight.path)
    except PruningError as misfit:
        if not shaping.leave_misfits:
            raise
        return f"does not fit: {misfit.problem.removesuffix(f'; {WAY_OUT}')}{_because(shaping)}"
    sparsities = [rule.target_sparsity for rule in applying if rule.target_sparsity is not None]
    return Chosen(
        variable=weight.variable,
        layout=layout,
        structure=structure,
        target_sparsity=sparsities[-1] if sparsities else None,
    )


def _check_fit(shape: tuple[int, ...], structure: Structure, name: str) -> None:
    if isinstance(structure, Channels) and shape[0] == 1:
        problem = "has one output on the TFLite layout, so that its channels would all go or all stay; exclude it"
        raise PruningError(name, problem)
    structure.units(shape, name=name)


def _because(rule: Rule) -> str:
    return f" ({rule.reason})" if rule.reason else ""


def _applies(rule: Rule, weight: ModelWeight, layout: Layout) -> bool:
    return (
        next(matching((rule.pattern,), weight.path), None) is not None
        and (not rule.layers or not weight.kinds.isdisjoint(rule.layers))
        and (not rule.operators or layout.operator in rule.operators)
    )


def _layout(weight: ModelWeight) -> Layout | None:
    """By the first layer that knows which operator the weight goes to, else by the first that holds it."""
    layouts = [layout_of(layer, weight.variable) for layer in (weight.holders or (None,))]
    known = [layout for layout in layouts if layout is not None]
    return next((layout for layout in known if layout.operator), known[0] if known else None)
