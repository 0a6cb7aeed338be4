"""Say what is wrong with a model for a target, without running it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.targets.outcomes import Outcomes, Severity
from sparsetool_converters.targets.readings import Reading, readings
from sparsetool_converters.targets.rules import MALFORMED, Hazard, Route, Target

UNKNOWN = "unknown"
"""The name of findings about what the table is silent on."""
MISSING = "missing-operator"
"""The name of findings about operators, or element types of theirs, that the target does not have."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One weight that the target does not run as it should.

    Attributes:
        severity: error, or warning.
        name: the hazard's name in the target's table, or UNKNOWN.
        subgraph: index of the subgraph.
        operator: index of the operator there, None for the model's caller.
        op: the operator's name.
        tensor: name of the constant as stored.
        effect: what the runtime would do, a clause.
        outcomes: the same for each kernel set; None where it depends on what lies in memory, or is not known.
        way_out: what helps, a clause.
        source: where that is known from.
    """

    severity: Severity
    name: str
    subgraph: int
    operator: int | None
    op: str
    tensor: str
    effect: str
    outcomes: Outcomes | None
    way_out: str
    source: str

    def __str__(self) -> str:
        """One line: where, what and the way out."""
        place = "" if self.operator is None else f" (subgraph {self.subgraph}, operator {self.operator})"
        outcomes = f" [{self.outcomes}]" if self.outcomes is not None and self.severity is Severity.ERROR else ""
        return f"{self.tensor} in {self.op}{place}: {self.effect}{outcomes}; {self.way_out}"


def lint(model: Model, target: Target) -> tuple[Finding, ...]:
    """Hold every weight of a model, whoever made it, against the target's table.

    What no rule of the table allows is an error, even where no hazard says what would come of it; metadata that
    contradict themselves are one, too. What the table does not look at, such as an operator that a delegate leaves
    alone for its own reasons, is for running the model to find.

    Returns:
        Errors first, each in the order of the model.
    """
    found = [finding for reading in readings(model) for finding in _findings(reading, target)]
    found += missing_operators(model, target)
    found.sort(key=lambda f: (f.severity is not Severity.ERROR, f.subgraph, -1 if f.operator is None else f.operator))
    return tuple(found)


def lint_errors(model: Model, target: Target) -> tuple[Finding, ...]:
    """The findings for which the target is known, or not known not, to answer wrongly."""
    return tuple(finding for finding in lint(model, target) if finding.severity is Severity.ERROR)


def missing_operators(model: Model, target: Target) -> list[Finding]:
    """The operators that the target does not have, and those with element types that it does not take."""
    if target.operators is None:
        return []
    found = []
    for g, graph in enumerate(model.subgraphs):
        for i, operator in enumerate(graph.operators):
            types = target.operators.get(operator.name)
            tensors = [t for t in (*operator.inputs, *operator.outputs) if t is not None]
            others = [t for t in tensors if types and t.type_name not in types]
            if operator.name == "DENSIFY":
                continue  # what it unpacks has findings of its own
            if types is None:
                tensor, effect = _first_name(operator.outputs), f"{target.name} has no operator {operator.name}"
            elif others:
                tensor, effect = others[0].name, f"{target.name} runs no {operator.name} with {others[0].type_name}"
            else:
                continue
            found.append(
                Finding(
                    severity=Severity.ERROR,
                    name=MISSING,
                    subgraph=g,
                    operator=i,
                    op=operator.name,
                    tensor=tensor,
                    effect=effect,
                    outcomes=None,
                    way_out="take another target, or a model without it",
                    source=f"the operators of {target.name}, tried one by one",
                )
            )
    return found


def _first_name(tensors: Sequence[Tensor | None]) -> str:
    return next((tensor.name for tensor in tensors if tensor is not None), "")


def _findings(reading: Reading, target: Target) -> list[Finding]:
    stored = reading.stored
    hazards = target.hazards_of(stored)
    found = [_finding(reading, hazard) for hazard in hazards]
    if stored.route is Route.DENSE or target.runs(stored) or any(f.severity is Severity.ERROR for f in found):
        return found
    unknown = Hazard(
        name=UNKNOWN,
        outcomes=None,
        effect=f"nothing is known to run {stored.use} on {target.name} when stored as {stored.layout}, {stored.route}",
        way_out="store it dense",
        source=f"the table of {target.name} has no rule for it",
    )
    return [_finding(reading, unknown), *found]


def _finding(reading: Reading, hazard: Hazard) -> Finding:
    problem = f" ({reading.stored.problem})" if reading.stored.layout == MALFORMED else ""
    return Finding(
        severity=hazard.severity,
        name=hazard.name,
        subgraph=reading.subgraph,
        operator=reading.operator,
        op=reading.op,
        tensor=reading.tensor.name,
        effect=hazard.effect + problem,
        outcomes=hazard.outcomes,
        way_out=hazard.way_out,
        source=hazard.source,
    )
