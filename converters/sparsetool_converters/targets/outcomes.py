"""What can come of running a model, and on which kernels."""

from dataclasses import dataclass
from enum import StrEnum


class KernelSet(StrEnum):
    """Implementations of the operators that the stock runtime carries; a user may meet any of them."""

    DEFAULT = "default"
    """What an application gets that asks for nothing: optimized kernels and the XNNPACK delegate."""
    NO_DELEGATES = "no-delegates"
    """The optimized kernels alone."""
    REFERENCE = "reference"
    """The plain reference kernels."""


class Outcome(StrEnum):
    """How a sparse model does beside its dense twin."""

    RIGHT = "right"
    """The same numbers, but for the order of float sums and one step of integers."""
    ROUGHLY = "roughly right"
    """Other rounding: near the dense twin's numbers, but further off than the order of a sum explains."""
    FAILS_AT_LOAD = "fails at load"
    """An error when the model is loaded or its tensors are allocated."""
    FAILS_AT_INVOKE = "fails at invoke"
    """An error when the model is run."""
    GARBAGE = "garbage"
    """It reads memory that is not the weight's: other numbers without an error, or the end of the process."""


class Severity(StrEnum):
    """How much a row of the table matters to somebody who has such a file."""

    ERROR = "error"
    """The target does not run it right."""
    WARNING = "warning"
    """It runs, but slower or less exactly than it could."""


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """An outcome for each kernel set; where two matter, they are what differs."""

    default: Outcome
    no_delegates: Outcome
    reference: Outcome

    def on(self, kernel_set: KernelSet) -> Outcome:
        return {
            KernelSet.DEFAULT: self.default,
            KernelSet.NO_DELEGATES: self.no_delegates,
            KernelSet.REFERENCE: self.reference,
        }[kernel_set]

    @classmethod
    def everywhere(cls, outcome: Outcome) -> "Outcomes":
        return cls(default=outcome, no_delegates=outcome, reference=outcome)

    def all_right(self) -> bool:
        return set(map(self.on, KernelSet)) == {Outcome.RIGHT}

    def __str__(self) -> str:
        """One clause: "fails at load (default kernels), right (others)"."""
        kinds = dict.fromkeys(map(self.on, KernelSet))
        if len(kinds) == 1:
            return f"{self.default} on all kernel sets"
        return "; ".join(f"{kind} on {', '.join(k for k in KernelSet if self.on(k) is kind)}" for kind in kinds)


RIGHT = Outcomes.everywhere(Outcome.RIGHT)
GARBAGE = Outcomes.everywhere(Outcome.GARBAGE)
