"""A plan as plain records: for every constant what each way of storing it would cost, and which is taken."""

from dataclasses import dataclass

from sparsetool_converters.costs import Choice
from sparsetool_converters.plan import Encode, Keep, Plan


@dataclass(frozen=True, kw_only=True)
class ChoiceRecord:
    """One way of storing a constant.

    Attributes:
        layout: "dense", or the name of a sparse format.
        route: "native" or "densify", or "dense".
        disk_bytes: what it takes in the file.
        ram_bytes: what the runtime holds of it.
        left_out: share of the elements that are not stored.
        faster: whether the target is known to run it faster than dense.
        taken: whether the plan takes it; true for one of them.
    """

    layout: str
    route: str
    disk_bytes: int
    ram_bytes: int
    left_out: float
    faster: bool
    taken: bool


@dataclass(frozen=True, kw_only=True)
class PlannedTensor:
    """One constant.

    Attributes:
        subgraph: index of its subgraph.
        name: its name.
        op: the operator whose weight it is, empty if none.
        shape: its dense shape.
        type: its element type.
        sparsity: share of zeros.
        choices: dense first, then whatever the target allows.
        reason: why the taken one is taken, with numbers.
    """

    subgraph: int
    name: str
    op: str
    shape: tuple[int, ...]
    type: str
    sparsity: float
    choices: tuple[ChoiceRecord, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class PlanRecord:
    """A whole plan.

    Attributes:
        target: the runtime that it is for.
        objective: what it makes small.
        dense_bytes: what all constants of the plan take dense, on disk and in RAM.
        disk_bytes: what they take as planned, in the file.
        ram_bytes: what the runtime holds of them as planned.
        tensors: every constant that is a weight, or large.
    """

    target: str
    objective: str
    dense_bytes: int
    disk_bytes: int
    ram_bytes: int
    tensors: tuple[PlannedTensor, ...]


def plan_record(plan: Plan) -> PlanRecord:
    """The plan for people and for JSON."""
    tensors = tuple(_planned(decision) for decision in plan.decisions)
    taken = [choice for tensor in tensors for choice in tensor.choices if choice.taken]
    return PlanRecord(
        target=plan.target,
        objective=str(plan.objective),
        dense_bytes=sum(tensor.choices[0].disk_bytes for tensor in tensors),
        disk_bytes=sum(choice.disk_bytes for choice in taken),
        ram_bytes=sum(choice.ram_bytes for choice in taken),
        tensors=tensors,
    )


def _planned(decision: Encode | Keep) -> PlannedTensor:
    taken = decision.choice if isinstance(decision, Encode) else decision.choices[0]
    return PlannedTensor(
        subgraph=decision.subgraph,
        name=decision.name,
        op=decision.op,
        shape=decision.shape,
        type=decision.type,
        sparsity=decision.sparsity,
        choices=tuple(_choice(choice, taken=choice is taken) for choice in decision.choices),
        reason=decision.reason,
    )


def _choice(choice: Choice, *, taken: bool) -> ChoiceRecord:
    return ChoiceRecord(
        layout=choice.layout,
        route="dense" if choice.route is None else str(choice.route),
        disk_bytes=choice.disk_bytes,
        ram_bytes=choice.ram_bytes,
        left_out=choice.left_out,
        faster=choice.faster,
        taken=taken,
    )
