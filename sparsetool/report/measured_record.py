"""What was measured on one machine of the files that a run made: it is kept beside them, since it takes a while."""

from dataclasses import dataclass

from sparsetool.report.bench_record import BenchRecord


@dataclass(frozen=True, kw_only=True)
class MeasuredArtifact:
    """One artifact beside the run's first one.

    Attributes:
        artifact: its name.
        reference_sha256: of the first artifact's .tflite.
        sha256: of its own .tflite.
        bench: both, timed in turn.
    """

    artifact: str
    reference_sha256: str
    sha256: str
    bench: BenchRecord


@dataclass(frozen=True, kw_only=True)
class MeasuredRecord:
    """All artifacts of a run that could be measured.

    Attributes:
        artifacts: in the run's order.
    """

    artifacts: tuple[MeasuredArtifact, ...]
