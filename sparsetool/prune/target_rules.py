"""Rules that prune what a runtime's kernels read sparse, in their own blocks, and leave all else alone.

The blocks come from the converters' table of that runtime, by which their planner encodes, too; so what was pruned by
these rules is what is encoded.
"""

from math import prod

from sparsetool.prune.errors import PruningError
from sparsetool.prune.layouts import OPERATORS
from sparsetool.prune.rules import Rule
from sparsetool.prune.structures import ELEMENT, Block
from sparsetool_converters.passes.recipes import Quantization, QuantizationRecipe, recipe_named
from sparsetool_converters.targets import Route, Target, target_named
from sparsetool_converters.targets import Rule as Way


def for_target(target: str, *, quantize: str = "none") -> tuple[Rule, ...]:
    """Return the rules that prune for a runtime: `Pruner(model, schedule, rules=for_target("litert"))`.

    Where the runtime has kernels that read sparse weights themselves, their weights are pruned in the largest of
    their blocks. For "litert" these are those of FULLY_CONNECTED, which Dense, attention and recurrent layers become:
    1x4 in float32; 1x16 with `quantize="dynamic"` or "int8". Where the runtime unpacks weights from a bitmap, as "tflm"
    does, a zero anywhere saves the same, so single weights are pruned, of any operator that can have such weights.

    All else is left alone, and its reason names the fact in the table. That holds for weights that the blocks do not
    divide or that have more columns than the kernel can address, too, and for those of custom layers, of which it is
    not known what they become. A later rule with a structure of its own takes them back:

        rules=(*for_target("litert"), Rule(pattern="*/mixing/mix", prune=True, structure=Block((1, 4))))

    A weight that several operators read is encoded where all of them are FULLY_CONNECTED, as those of a layer called
    several times are, of a recurrent layer with `unroll=True`, and of what is inside a TimeDistributed.

    Args:
        target: name of a runtime in the converters' table.
        quantize: how the pruned model will be quantized, by the name of a recipe.

    Raises:
        UsageError: no such target or recipe.
        PruningError: nothing of a model quantized so is read sparse by this runtime.
    """
    runtime, recipe = target_named(target), recipe_named(quantize)
    if not recipe.keeps_zeros:
        problem = f"{recipe.name!r} makes other numbers of zeros, so nothing would stay sparse; quantize another way"
        raise PruningError("quantize", problem)
    rules = tuple(_rule(operator, runtime, recipe) for operator in OPERATORS)
    if not any(rule.structure for rule in rules):
        raise PruningError("for_target", _nothing_sparse(runtime, recipe))
    unknown = "belongs to no layer that Keras defines, so that its operator, and whether that reads sparse weights, is "
    return (*rules, Rule(operators=("",), prune=False, reason=f"{unknown}not known"))


def _rule(operator: str, runtime: Target, recipe: QuantizationRecipe) -> Rule:
    """What holds for the weights of one operator."""
    use = recipe.use_by(operator)
    if use is None:
        reason = f"is stored by {recipe.name} as {recipe.weights}, which no sparse kernel is known for"
        return Rule(operators=(operator,), prune=False, reason=reason)
    ways = {way.route: way for way in runtime.rules_for(use)}
    if Route.DECODE in ways:
        return Rule(operators=(operator,), structure=ELEMENT)
    if Route.NATIVE in ways:
        return _in_blocks(ways[Route.NATIVE], runtime)
    if ways:
        reason = f"goes to {use}, which {runtime.name} has no sparse kernel for ({next(iter(ways.values())).cost})"
    else:
        reason = f"goes to {operator}: {runtime.why_refused(use)}"
    return Rule(operators=(operator,), prune=False, reason=reason)


def _in_blocks(way: Way, runtime: Target) -> Rule:
    block = max(way.blocks, key=prod)
    limits = [way.max_columns] if way.max_columns is not None else []
    if way.max_blocks_per_row is not None:  # even of a row that loses none
        limits.append(way.max_blocks_per_row * block[1])
    return Rule(
        operators=(way.use.op,),
        structure=Block(block),
        max_columns=min(limits, default=None),
        leave_misfits=True,
        reason=f"the sparse kernel of {runtime.name} for {way.use}",
    )


def _nothing_sparse(runtime: Target, recipe: QuantizationRecipe) -> str:
    others = [
        str(name)
        for name in Quantization
        if any(_rule(operator, runtime, recipe_named(name)).structure for operator in OPERATORS)
    ]
    if not others:
        return f"{runtime.name} reads no sparse weights, so no structure suits it better than another; leave rules out"
    return (
        f"{runtime.name} reads no sparse weights of a model quantized by {recipe.name!r}, but by {', '.join(others)}; "
        "quantize so, or leave rules out"
    )
