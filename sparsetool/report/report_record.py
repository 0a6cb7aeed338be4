"""All that a report shows, in one record: no face of it shows a number that is not here."""

from dataclasses import dataclass

from sparsetool.report.measured_record import MeasuredArtifact
from sparsetool.report.pruning_record import Numbers
from sparsetool.report.records import RunRecord


@dataclass(frozen=True, kw_only=True)
class ReportRecord:
    """A run, and what was found out about it since.

    Attributes:
        run: what the run recorded.
        pruning: refreshes and metrics over the training; None where none were recorded.
        measured: latency and memory of each artifact beside the first one, on this machine.
        missing: what could not be measured or drawn, and why.
    """

    run: RunRecord
    pruning: Numbers | None
    measured: tuple[MeasuredArtifact, ...]
    missing: tuple[str, ...]
