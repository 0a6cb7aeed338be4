"""What can come of running a model, and on which kernels."""

from dataclasses import dataclass
from enum import StrEnum


class KernelSet(StrEnum):
    """Implementations of the operators that a runtime carries; a user may meet any of them."""

    DEFAULT = "default"
    """What an application gets that asks for nothing: optimized kernels and the XNNPACK delegate."""
    NO_DELEGATES = "no-delegates"
    """The optimized kernels alone."""
    REFERENCE = "reference"
    """The plain reference kernels."""
    MICRO = "micro"
    """Those of the micro runtime, which has no others."""


LITERT_KERNEL_SETS = (KernelSet.DEFAULT, KernelSet.NO_DELEGATES, KernelSet.REFERENCE)
MICRO_KERNEL_SETS = (KernelSet.MICRO,)


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
    """An outcome for each kernel set of a runtime; where two matter, they are what differs.

    A kernel set of another runtime has None.
    """

    default: Outcome | None = None
    no_delegates: Outcome | None = None
    reference: Outcome | None = None
    micro: Outcome | None = None

    def known(self) -> dict[KernelSet, Outcome]:
        """The outcomes, by kernel set."""
        outcomes = {
            KernelSet.DEFAULT: self.default,
            KernelSet.NO_DELEGATES: self.no_delegates,
            KernelSet.REFERENCE: self.reference,
            KernelSet.MICRO: self.micro,
        }
        return {kernel_set: outcome for kernel_set, outcome in outcomes.items() if outcome is not None}

    def on(self, kernel_set: KernelSet) -> Outcome:
        return self.known()[kernel_set]

    @classmethod
    def everywhere(cls, outcome: Outcome) -> "Outcomes":
        """The same on every kernel set of LiteRT."""
        return cls(default=outcome, no_delegates=outcome, reference=outcome)

    def all_right(self) -> bool:
        return set(self.known().values()) == {Outcome.RIGHT}

    def __str__(self) -> str:
        """One clause: "fails at load on default; right on no-delegates, reference"."""
        known = self.known()
        kinds = dict.fromkeys(known.values())
        if len(kinds) == 1:
            where = "the micro runtime" if self.micro else "all kernel sets"
            return f"{next(iter(kinds))} on {where}"
        return "; ".join(f"{kind} on {', '.join(k for k in known if known[k] is kind)}" for kind in kinds)


RIGHT = Outcomes.everywhere(Outcome.RIGHT)
GARBAGE = Outcomes.everywhere(Outcome.GARBAGE)
