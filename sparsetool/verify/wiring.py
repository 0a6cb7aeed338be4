"""Compare how the operators of two models are wired and set, where both have the same operators.

A weight may be right and stand in the wrong place: then an operator reads another tensor than in the reference. What an
operator is told to do, strides or a fused activation, must be the same, too.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from sparsetool.report.verification_record import VerificationFinding
from sparsetool.verify.pairing import PASSED_THROUGH, are_aligned, core_operators
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.model import Model, Operator, Subgraph, Tensor

GRAPH = "graph"
# How a kernel rounds its input on the fly is set by whoever encodes; shapes are what compaction changes.
NOT_COMPARED = ("asymmetricQuantizeInputs", "newShape")


def wiring_findings(reference: Model, candidate: Model) -> tuple[VerificationFinding, ...]:
    """Every operator that reads or does something else than in the reference; none if the operators differ."""
    if not are_aligned(reference, candidate):
        return ()
    found = []
    for g, (graph, other) in enumerate(zip(reference.subgraphs, candidate.subgraphs, strict=True)):
        where = f" of subgraph {g}" if g else ""
        for place, problem in _problems(graph, other):
            found.append(
                VerificationFinding(
                    kind=GRAPH, where=f"{place}{where}", problem=problem, exit_code=VerificationError.exit_code
                )
            )
    return tuple(found)


def _problems(graph: Subgraph, other: Subgraph) -> Iterator[tuple[str, str]]:
    ours, theirs = _Sources(graph), _Sources(other)
    for i, (one, two) in enumerate(zip(core_operators(graph), core_operators(other), strict=True)):
        place = f"operator {i} {two.name}"
        for position in range(min(len(one.inputs), len(two.inputs))):
            wanted, found = ours.of(one.inputs[position]), theirs.of(two.inputs[position])
            if wanted != found and "" not in (wanted, found):
                yield place, f"input {position} comes from {found} instead of {wanted}"
        yield from ((place, problem) for problem in _option_problems(one, two))
        ours.add(one, i)
        theirs.add(two, i)


class _Sources:
    """Where each tensor of a subgraph comes from, in words that mean the same in both models."""

    def __init__(self, graph: Subgraph) -> None:
        self._known = {t: f"the model's input {i}" for i, t in enumerate(graph.inputs) if t is not None}
        self._converted = {
            output: operator.inputs[0]
            for operator in graph.operators
            if operator.name in PASSED_THROUGH and operator.inputs
            for output in operator.outputs
            if output is not None
        }

    def of(self, tensor: Tensor | None) -> str:
        """The tensor's source; empty for a constant or a tensor that is left out, which are compared elsewhere."""
        seen = set()
        while tensor is not None and tensor in self._converted and tensor not in seen:
            seen.add(tensor)
            tensor = self._converted[tensor]
        return "" if tensor is None else self._known.get(tensor, "")

    def add(self, operator: Operator, index: int) -> None:
        for position, tensor in enumerate(operator.outputs):
            if tensor is not None:
                suffix = f", output {position}" if len(operator.outputs) > 1 else ""
                self._known[tensor] = f"operator {index} {operator.name}{suffix}"


def _option_problems(one: Operator, two: Operator) -> Iterator[str]:
    for name in ("builtinOptions", "builtinOptions2"):
        ours, theirs = (_plain(getattr(operator.fields, name, None)) for operator in (one, two))
        for key in sorted({*ours, *theirs}):
            if ours.get(key) != theirs.get(key) and key in ours and key in theirs:
                yield f"{key} is {theirs[key]} instead of {ours[key]}"
    if one.code.fields.customCode and _raw(one) != _raw(two):
        yield "has other custom options"


def _plain(options: Any) -> dict[str, Any]:
    """The options that are single numbers or texts."""
    fields = {} if options is None else vars(options)
    return {k: v for k, v in fields.items() if k not in NOT_COMPARED and isinstance(v, int | float | str | bytes)}


def _raw(operator: Operator) -> bytes:
    raw = operator.fields.customOptions
    return b"" if raw is None else np.asarray(raw, np.uint8).tobytes()
