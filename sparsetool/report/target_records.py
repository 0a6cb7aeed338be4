"""What was found out about targets, and about files held against them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One case of a target's table on one kernel set.

    Attributes:
        case: what is stored how.
        row: the hazard that it is a case of, empty for what is right.
        kernel_set: the kernels that ran it.
        expected: what the table says.
        measured: what came of it.
        words: what the runtime said, which signal it ended with, or how far off the numbers are.
    """

    case: str
    row: str
    kernel_set: str
    expected: str
    measured: str
    words: str


@dataclass(frozen=True, kw_only=True)
class TargetCheckRecord:
    """A target's table beside the installed runtime.

    Attributes:
        target: the target.
        runtime: what ran the cases, and its version.
        trials: every case on every kernel set.
    """

    target: str
    runtime: str
    trials: tuple[TrialRecord, ...]

    @property
    def differences(self) -> tuple[TrialRecord, ...]:
        return tuple(trial for trial in self.trials if trial.measured != trial.expected)

    @property
    def summary(self) -> str:
        """One line."""
        cases, kernel_sets = len({t.case for t in self.trials}), len({t.kernel_set for t in self.trials})
        ran = f"{cases} case{'s' * (cases > 1)} on {kernel_sets} kernel set{'s' * (kernel_sets > 1)} of {self.runtime}"
        count = len(self.differences)
        found = f"{count or 'no'} difference{'s' * (count > 1)}"
        return f"{ran}: {found} to the table of {self.target}"


@dataclass(frozen=True, kw_only=True)
class WayRecord:
    """One way in which the target would run a weight.

    Attributes:
        stored: how it would have to be stored.
        cost: what that costs at run time, empty where nothing is lost.
        source: where that is known from.
    """

    stored: str
    cost: str
    source: str


@dataclass(frozen=True, kw_only=True)
class RefusalRecord:
    """One way in which the target would not run a weight.

    Attributes:
        stored: how it would be stored.
        effect: what would come of it.
        source: where that is known from.
    """

    stored: str
    effect: str
    source: str


@dataclass(frozen=True, kw_only=True)
class ExplainedWeight:
    """One weight, as one operator uses it.

    Attributes:
        tensor: its name, as stored.
        use: operator and types.
        shape: its dense shape.
        stored: how it is stored.
        verdict: "right", "warning" or "error".
        ways: the sparse ways that the target allows for this use.
        refused: those that it is known to get wrong, whatever else holds.
    """

    tensor: str
    use: str
    shape: tuple[int, ...]
    stored: str
    verdict: str
    ways: tuple[WayRecord, ...]
    refused: tuple[RefusalRecord, ...]


@dataclass(frozen=True, kw_only=True)
class FindingRecord:
    """One finding of the lint.

    Attributes:
        severity: "error" or "warning".
        name: of the row of the target's table.
        tensor: the constant, as stored.
        op: its reader.
        subgraph: index of the subgraph.
        operator: index of the operator there, None for the model's caller.
        effect: what the runtime would do.
        outcomes: the same by kernel set; empty where it depends on what lies in memory.
        way_out: what helps.
        source: where that is known from.
    """

    severity: str
    name: str
    tensor: str
    op: str
    subgraph: int
    operator: int | None
    effect: str
    outcomes: str
    way_out: str
    source: str


@dataclass(frozen=True, kw_only=True)
class ExplanationRecord:
    """A file held against a target.

    Attributes:
        name: the file's name.
        target: the target.
        weights: each weight, once for each operator that uses it.
        findings: what the lint found, errors first.
    """

    name: str
    target: str
    weights: tuple[ExplainedWeight, ...]
    findings: tuple[FindingRecord, ...]

    @property
    def errors(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings)
