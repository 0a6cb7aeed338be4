"""Where a model begins to differ from its reference."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BisectRecord:
    """The first operator whose output leaves the tolerance.

    Attributes:
        kernel_set: the kernels that both ran on.
        operator: index of the operator in the candidate's main subgraph; None where none could be named.
        op: the operator's name.
        tensor: the output that leaves the tolerance.
        problem: what was measured there against what is allowed, or how the run ended.
        before: the last output known to be within the tolerance; empty where that is the model's own inputs.
        operators: how many operators were searched.
        runs: how many times a model was run for it.
        weights: constants that the operators between `before` and `tensor` read.
    """

    kernel_set: str
    operator: int | None
    op: str
    tensor: str
    problem: str
    before: str
    operators: int
    runs: int
    weights: tuple[str, ...]
