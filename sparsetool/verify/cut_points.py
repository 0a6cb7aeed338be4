"""Where two models can be cut so that their first parts answer the same question.

A part of a network is right if all that the rest reads from it is, so a cut point has every such tensor:

    x -> CONV_2D -> a -> RELU -> b -> ADD -> y          behind RELU: a and b, since ADD reads both
                    a ----------------^

With only b compared, an error in a branch would be laid to the operator that joins it to the others.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sparsetool.verify.pairing import PASSED_THROUGH, are_aligned, core_operators
from sparsetool_converters.model import Model, Operator, Subgraph, Tensor
from sparsetool_converters.passes.cut import ASSIGN_VARIABLE

_COMPARABLE = {
    *("FLOAT16", "FLOAT32", "FLOAT64", "COMPLEX64", "COMPLEX128", "BOOL"),
    *("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class CutPoint:
    """A place behind an operator of the candidate's main subgraph.

    Attributes:
        operator: the operator's index.
        tensors: what is read behind it, as (reference's, candidate's), the operator's own outputs first.
    """

    operator: int
    tensors: tuple[tuple[Tensor, Tensor], ...]


def cut_points(reference: Model, candidate: Model) -> tuple[CutPoint, ...]:
    """The cut points in the order of execution; the last is the end, with the models' own outputs.

    Only operators that both models have, whose outputs depend on the inputs and have equal shapes, are cut points:
    the third operator here and the third there where the models are aligned, those with outputs of one name elsewhere.
    """
    graph = candidate.subgraphs[0]
    moving = depends_on_input(graph)
    pairs = {
        theirs: ours
        for ours, theirs in _matches(reference, candidate)
        if theirs in moving and theirs.shape == ours.shape and _is_comparable(ours) and _is_comparable(theirs)
    }
    last_read = _last_reads(graph)
    origins: dict[Tensor, tuple[Tensor, ...]] = {}
    live: dict[Tensor, None] = {}
    points: list[CutPoint] = []
    last = 0
    for index, operator in enumerate(graph.operators):
        made = [t for t in operator.outputs if t is not None and t in moving and last_read.get(t, -1) > index]
        last = index if made or operator.name == ASSIGN_VARIABLE else last
        sources = dict.fromkeys(o for t in operator.inputs if t is not None for o in origins.get(t, ()))
        for tensor in operator.outputs:
            if tensor is not None:
                origins[tensor] = (tensor,) if tensor in pairs else tuple(sources)
        live = {t: None for t in live if last_read[t] > index} | dict.fromkeys(made)
        if any(tensor in pairs for tensor in made):
            found = dict.fromkeys(o for t in [*made, *live] for o in origins[t])
            points.append(CutPoint(operator=index, tensors=tuple((pairs[t], t) for t in found)))
    ends = _ends(reference.subgraphs[0], graph)
    stored = [
        t for operator in graph.operators if operator.name == ASSIGN_VARIABLE for t in operator.inputs if t is not None
    ]
    ends |= {o: pairs[o] for t in stored for o in origins.get(t, ())}
    end = CutPoint(operator=last, tensors=tuple((ours, theirs) for theirs, ours in ends.items()))
    return (*(point for point in points if point.operator < last), end)


def depends_on_input(graph: Subgraph) -> set[Tensor]:
    """The tensors that change with the inputs, or with what the model remembers of earlier ones."""
    found = {tensor for tensor in graph.inputs if tensor is not None}
    for operator in graph.operators:
        inputs = [tensor for tensor in operator.inputs if tensor is not None]
        remembers = operator.name == "READ_VARIABLE" or any(tensor.fields.isVariable for tensor in inputs)
        if remembers or not found.isdisjoint(inputs):
            found.update(tensor for tensor in operator.outputs if tensor is not None)
    return found


def constants_read(graph: Subgraph, operators: Iterable[Operator]) -> tuple[str, ...]:
    """Names of the constants that these operators read, directly or by way of operators that only unpack them."""
    producers, moving = graph.producers(), depends_on_input(graph)
    names: dict[str, None] = {}
    seen: set[Tensor] = set()
    waiting = [tensor for operator in operators for tensor in operator.inputs][::-1]
    while waiting:
        tensor = waiting.pop()
        if tensor is None or tensor in moving or tensor in seen:
            continue
        seen.add(tensor)
        if tensor.is_constant:
            names[tensor.name] = None
        elif (producer := producers.get(tensor)) is not None:
            waiting += producer.inputs[::-1]
    return tuple(names)


def _matches(reference: Model, candidate: Model) -> list[tuple[Tensor, Tensor]]:
    """Outputs of operators that belong together, as (reference's, candidate's)."""
    ours, theirs = reference.subgraphs[0], candidate.subgraphs[0]
    if [o.name for o in ours.operators] == [o.name for o in theirs.operators]:
        return _by_position(ours.operators, theirs.operators)
    if are_aligned(reference, candidate):
        return _by_position(core_operators(ours), core_operators(theirs))
    named = _by_name(ours)
    return [(named[name], tensor) for name, tensor in _by_name(theirs).items() if name in named]


def _by_position(ours: Sequence[Operator], theirs: Sequence[Operator]) -> list[tuple[Tensor, Tensor]]:
    return [
        (a, b)
        for one, other in zip(ours, theirs, strict=True)
        for a, b in zip(one.outputs, other.outputs, strict=False)
        if a is not None and b is not None
    ]


def _by_name(graph: Subgraph) -> Mapping[str, Tensor]:
    outputs = [t for o in graph.operators if o.name not in PASSED_THROUGH for t in o.outputs if t is not None]
    count = Counter(tensor.name for tensor in outputs)
    return {tensor.name: tensor for tensor in outputs if tensor.name and count[tensor.name] == 1}


def _is_comparable(tensor: Tensor) -> bool:
    return tensor.type_name in _COMPARABLE and not tensor.is_constant and not tensor.fields.isVariable


def _ends(reference: Subgraph, candidate: Subgraph) -> dict[Tensor, Tensor]:
    """The models' outputs, candidate's to reference's, but for those that hold no numbers."""
    both = zip(reference.outputs, candidate.outputs, strict=False)
    return {b: a for a, b in both if a is not None and b is not None and {a.type_name, b.type_name} <= _COMPARABLE}


def _last_reads(graph: Subgraph) -> dict[Tensor, int]:
    """Index of the last operator that reads each tensor, of those that an output or a variable needs.

    What is an output, or is stored in a variable, is read at the very end.
    """
    end = len(graph.operators)
    found: dict[Tensor, int] = {tensor: end for tensor in graph.outputs if tensor is not None}
    for index in range(end - 1, -1, -1):
        operator = graph.operators[index]
        stores = operator.name == ASSIGN_VARIABLE
        if stores or any(tensor in found for tensor in operator.outputs if tensor is not None):
            for tensor in operator.inputs:
                if tensor is not None:
                    found[tensor] = max(found.get(tensor, -1), end if stores else index)
    return found
