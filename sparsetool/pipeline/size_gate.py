"""What artifacts may take, and how much they may grow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sparsetool.budget import Budgets
from sparsetool.pipeline.baseline import read_baseline
from sparsetool.pipeline.resident import resident_bytes
from sparsetool.report.records import ArtifactRecord, SizeLimitRecord, Sizes
from sparsetool.report.size_records import SizedRecord, SizesRecord
from sparsetool_converters.errors import BudgetExceededError, UsageError

GROWING = ("disk", "wire")  # what a baseline limits; the others depend on how a general compressor takes it


class SizeLimitError(BudgetExceededError):
    """Artifacts break limits on their sizes; the first one's first limit is told.

    Attributes:
        artifacts: sizes and limits of all that were measured with them.
    """

    def __init__(self, artifacts: Sequence[SizedRecord]) -> None:
        self.artifacts = tuple(artifacts)
        name, first = SizesRecord(artifacts=self.artifacts).broken[0]
        super().__init__(name, first.size, first.limit_bytes, first.actual_bytes, first.baseline_bytes)


@dataclass(frozen=True, kw_only=True)
class SizeGate:
    """Limits on the sizes of artifacts.

    Attributes:
        budgets: limits as such.
        baseline: sizes by the artifacts' names, None to compare with none.
        max_regression: share by which disk and wire may grow over the baseline.
        updates: whether growth is accepted: compared and told, but not limited.
    """

    budgets: Budgets = field(default_factory=Budgets)
    baseline: Mapping[str, Sizes] | None = None
    max_regression: float = 0.0
    updates: bool = False

    def measure(self, name: str, model: bytes, sizes: Sizes) -> SizedRecord:
        """Hold an artifact against its limits; none is raised for.

        Args:
            name: the artifact.
            model: bytes of the `.tflite`, whose RAM is measured if it is limited.
            sizes: its other sizes.

        Raises:
            TargetError, VerificationError: RAM is limited, and the model does not run.
        """
        before = None if self.baseline is None else self.baseline.get(name)
        limits = [_limit(name, kind, limit, model, sizes) for kind, limit in self.budgets.of(name).limits.items()]
        if before is not None and not self.updates:
            limits += [self._growth(kind, before, sizes) for kind in GROWING]
        return SizedRecord(name=name, sizes=sizes, baseline=before, limits=tuple(limits))

    def passed(self, name: str, model: bytes, record: ArtifactRecord) -> ArtifactRecord:
        """The record with its limits, all of which are kept.

        Args:
            name: what budgets and baseline call the artifact.
            model: bytes of its `.tflite`.
            record: what was measured of it.

        Raises:
            SizeLimitError: one is not.
        """
        sized = self.measure(name, model, record.sizes)
        check_limits([sized])
        return replace(record, baseline=sized.baseline, limits=sized.limits)

    def gone(self, artifacts: Iterable[str]) -> tuple[str, ...]:
        """Names that the baseline knows and that are not among these."""
        return tuple(sorted(set(self.baseline or ()) - set(artifacts)))

    def _growth(self, kind: str, before: Sizes, sizes: Sizes) -> SizeLimitRecord:
        was, actual = int(getattr(before, kind)), int(getattr(sizes, kind))
        limit = int(was * (1 + self.max_regression))
        return SizeLimitRecord(
            size=kind,
            rule="regression",
            actual_bytes=actual,
            limit_bytes=limit,
            baseline_bytes=was,
            kept=actual <= limit,
        )


def size_gate(
    budgets: Budgets | None = None,
    *,
    baseline: Path | None = None,
    max_regression: float | None = None,
    updates: bool = False,
) -> SizeGate:
    """The gate that a caller asks for.

    Args:
        budgets: limits as such.
        baseline: the file to compare with.
        max_regression: share by which disk and wire may grow over it; not at all by default.
        updates: whether growth is accepted, by `update_baseline` once everything else is right.

    Raises:
        UsageError: the baseline is not there or damaged, or there is none and something is asked of it.
    """
    if baseline is None:
        if max_regression is not None or updates:
            what = "--update-baseline" if updates else "--max-regression"
            raise UsageError(f"{what} needs --baseline, the file with the sizes to compare with")
        return SizeGate(budgets=budgets or Budgets())
    known = {} if updates and not baseline.exists() else read_baseline(baseline)
    return SizeGate(budgets=budgets or Budgets(), baseline=known, max_regression=max_regression or 0.0, updates=updates)


def check_limits(artifacts: Sequence[SizedRecord]) -> None:
    """Raise SizeLimitError if an artifact breaks a limit."""
    if SizesRecord(artifacts=tuple(artifacts)).broken:
        raise SizeLimitError(artifacts)


def _limit(name: str, kind: str, limit: int, model: bytes, sizes: Sizes) -> SizeLimitRecord:
    actual = resident_bytes(model, name=name) if kind == "ram" else int(getattr(sizes, kind))
    return SizeLimitRecord(size=kind, rule="budget", actual_bytes=actual, limit_bytes=limit, kept=actual <= limit)
