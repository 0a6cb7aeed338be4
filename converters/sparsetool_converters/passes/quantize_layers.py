"""Which layer gets which recipe."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sparsetool_converters.errors import UsageError
from sparsetool_converters.model import Model, Operator, Tensor
from sparsetool_converters.passes.recipes import QuantizationRecipe, recipe_named
from sparsetool_converters.weights import weight_sites

_SHOWN = 5  # names in an error
# What looks at the columns of a fully-connected layer's input, and fails where these are not its last dimension.
_BY_COLUMNS = ("gptq", "oscar")
# Weights of these widths, in bits, that the runtime gets wrong: measured on every kernel set of ai-edge-litert 2.3.0.
_WRONG_AT = {2: ("CONV_2D",)}


@dataclass(frozen=True, kw_only=True)
class LayerRecipe:
    """A recipe for some layers.

    Attributes:
        pattern: a regular expression; a layer is meant where it is found in the name of its weight, or in its scope,
            which is the names of the tensors that it writes, each followed by ";".
        recipe: the recipe's name, as `recipe_named` knows it.
    """

    pattern: str
    recipe: str


def parse_layer(text: str) -> LayerRecipe:
    """A layer's recipe as the command line has it: PATTERN=NAME; the last "=" counts.

    Raises:
        UsageError: it is not of this form, or `check_layer` raises.
    """
    pattern, equals, recipe = text.rpartition("=")
    if not equals or not pattern:
        raise UsageError(f"{text!r} is not PATTERN=NAME, as in 'logits=none'")
    layer = LayerRecipe(pattern=pattern, recipe=recipe)
    check_layer(layer)
    return layer


def check_layer(layer: LayerRecipe) -> QuantizationRecipe:
    """The recipe of a layer whose pattern is a regular expression.

    Raises:
        UsageError: it is none, or there is no such recipe.
    """
    try:
        re.compile(f"(?:{layer.pattern})")
    except re.error as problem:
        raise UsageError(f"layer pattern {layer.pattern!r} is not a regular expression: {problem}") from problem
    return recipe_named(layer.recipe)


def quantizer_rules(model: Model, default: QuantizationRecipe, layers: Sequence[LayerRecipe]) -> list[dict[str, Any]]:
    """What the quantizer is told: regular expressions on scopes, each with a recipe and an algorithm; the last wins.

    Raises:
        UsageError: a pattern matches no layer, or `check_layer` raises.
    """
    scopes: list[tuple[str, Operator | None]] = [(_scope(op.outputs), op) for _, op in model.operators()]
    scopes += [(_scope(tensors), None) for graph in model.subgraphs for tensors in (graph.inputs, graph.outputs)]
    weights: dict[Operator, list[str]] = {}
    for site in weight_sites(model):
        weights.setdefault(site.operator, []).extend(t.name for t in site.path)
    rules: list[dict[str, Any]] = []
    for pattern, recipe in [(".*", default), *((layer.pattern, check_layer(layer)) for layer in layers)]:
        expression = re.compile(pattern)
        matched = [
            (scope, op)
            for scope, op in scopes
            if expression.search(scope) or (op is not None and any(map(expression.search, weights.get(op, ()))))
        ]
        if not matched and rules:
            raise UsageError(f"no layer matches {pattern!r}; layers here are {_some(model, weights)}")
        by_scope = f"(?:{pattern})" if not rules else _exactly([scope for scope, _ in matched])
        untouched = _WRONG_AT.get(recipe.weight_bits, ())
        rule = {"regex": by_scope, "recipe": recipe.base, "algorithm": "", "untouched": untouched}
        rules.append(rule)
        able = [s for s, op in matched if recipe.algorithm not in _BY_COLUMNS or _has_columns(op)]
        if recipe.algorithm and able:
            rules.append({**rule, "regex": _exactly(able), "algorithm": recipe.algorithm})
    return rules


def _scope(tensors: Sequence[Tensor | None]) -> str:
    """As litert_quantizer/utils/tfl_flatbuffer_utils.py, get_op_scope, in 0.11.0."""
    return "".join(f"{t.name};" for t in tensors if t is not None and t.name)[:10_000]


def _exactly(scopes: Sequence[str]) -> str:
    return f"^(?:{'|'.join(map(re.escape, dict.fromkeys(scopes)))})$" if scopes else r"(?!)"


def _has_columns(operator: Operator | None) -> bool:
    """Whether an operator is a fully-connected layer with an input as wide in its last dimension as its weight."""
    if operator is None or operator.name != "FULLY_CONNECTED":
        return False
    x, weight = operator.inputs[:2]
    return x is not None and weight is not None and x.shape[-1:] == weight.shape[-1:]


def _some(model: Model, weights: dict[Operator, list[str]]) -> str:
    names = list(_names(model, weights))
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name) for name in names[:_SHOWN]) + more


def _names(model: Model, weights: dict[Operator, list[str]]) -> Iterator[str]:
    for _, operator in model.operators():
        if operator in weights:
            yield from (t.name for t in operator.outputs if t is not None)
