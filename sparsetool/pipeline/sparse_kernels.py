"""Say when and why sparse kernels run a model's weights here, in sentences, from the target's table."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from sparsetool.bench import Processor
from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.targets import LITERT, KernelSet, Route, StoredWeight
from sparsetool_converters.targets.litert_sparse_convolutions import SPARSE_CONVOLUTIONS
from sparsetool_converters.targets.readings import Reading, readings
from sparsetool_converters.targets.rules import block_name


def sparse_sentences(
    model: Model, name: str, *, kernel_set: KernelSet, processor: Processor, operators: Sequence[str]
) -> tuple[str, ...]:
    """What becomes of the weights of one model, a sentence for each way in which some are stored.

    Args:
        model: the model.
        name: what to call it.
        kernel_set: the kernels that run it.
        processor: what they run on.
        operators: the names that the profiler gives what ran; empty where it gives none.
    """
    found = readings(model)
    sparse = [reading for reading in found if reading.stored.route is not Route.DENSE]
    if not sparse:
        return (f"{name}: no weight is stored sparse, so dense kernels run all of them.",)
    ways = Counter((_way(reading.stored), reading.stored.route is Route.DENSE) for reading in found)
    order = sorted(ways, key=lambda way: way[1])  # dense last; Python keeps the order of the rest
    stored = {_way(reading.stored): reading.stored for reading in found}
    sentences = [f"{name}: {_subject(ways[way], way[0])} {_consequence(stored[way[0]])}." for way in order]
    return (*sentences, *_convolutions(found, name, kernel_set, processor, operators))


def _way(stored: StoredWeight) -> tuple[str, str, str]:
    layout = "dense" if stored.route is Route.DENSE else stored.layout
    return str(stored.use), layout, str(stored.route)


def _subject(count: int, way: tuple[str, str, str]) -> str:
    use, layout, route = way
    behind = " behind DENSIFY" if route == Route.DENSIFY else ""
    return f"{use}, stored {layout}{behind}, {count} time{'s' * (count > 1)}:"


def _consequence(stored: StoredWeight) -> str:
    if stored.route is Route.DENSE:
        return "dense kernels run"
    rule = next((rule for rule in LITERT.rules if rule.runs(stored)), None)
    if rule is None:
        hazards = LITERT.hazards_of(stored)
        effect = f": {hazards[0].effect}" if hazards else ""
        return f"the runtime is not known to run this right{effect}"
    if rule.route is Route.DENSIFY:
        return f"the runtime unpacks them at load and gives its kernels dense weights ({rule.cost}; {rule.source})"
    from_sparsity = dict(zip(map(block_name, rule.blocks), rule.faster_from_sparsity, strict=False))
    share = from_sparsity.get(stored.layout)
    faster = (
        "they are not known to beat the dense ones"
        if share is None
        else f"for one row of activations they are known to beat the dense ones from {share:.0%} of blocks left out "
        f"({rule.speed_source})"
    )
    return f"the sparse kernels of the runtime read them as they are; {faster} ({rule.source})"


def _convolutions(
    found: Sequence[Reading], name: str, kernel_set: KernelSet, processor: Processor, operators: Sequence[str]
) -> Iterator[str]:
    """Whether XNNPACK takes the 1x1 convolutions for itself, sparse."""
    facts = SPARSE_CONVOLUTIONS
    ours = [r for r in found if r.stored.use.op == facts.op and r.stored.use.activation == facts.activation]
    if not any(reading.stored.route is Route.DENSIFY for reading in ours):
        return
    start = f"{name}: XNNPACK's sparse convolutions"
    if kernel_set != facts.kernel_set:
        yield f"{start} are no part of the {kernel_set} kernels."
        return
    if processor.is_x86 and facts.never_with_flag in processor.flags:
        flag = facts.never_with_flag.upper()
        yield f"{start} never run on an x86 processor with {flag}, as this is one; on ARM64 they may ({facts.source})."
        return
    weights = {id(r.tensor): r.tensor for r in ours if r.tensor.shape[1:3] == facts.kernel}
    zeros, elements = _zeros(list(weights.values()))
    if zeros <= facts.more_zeros_than * elements:
        share = zeros / max(elements, 1)
        yield f"{start} need more than {facts.more_zeros_than:.0%} zeros in 1x1 convolutions, which have {share:.0%}."
        return
    ran = sum(facts.operator_mark in operator for operator in operators)
    if ran:
        yield f"{start} run {ran} operators, by the runtime's own profile."
    elif operators:
        yield f"{start} run none, by the runtime's own profile, for all its zeros; they do where {facts.cluster}."
    else:
        yield f"{start} may run here; they do where {facts.cluster} ({facts.source})."


def _zeros(weights: Sequence[Tensor]) -> tuple[int, int]:
    arrays = [weight.array() for weight in weights]
    return sum(array.size - int(np.count_nonzero(array)) for array in arrays), sum(array.size for array in arrays)
