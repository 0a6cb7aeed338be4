"""What the lint finds, as records for reports."""

from sparsetool.report.target_records import FindingRecord
from sparsetool_converters.model import Model
from sparsetool_converters.targets import Target
from sparsetool_converters.targets.lint import Finding, lint


def findings_of(data: bytes, target: Target, *, where: str) -> tuple[FindingRecord, ...]:
    """What the lint of a .tflite finds, errors first."""
    return tuple(map(finding_record, lint(Model.from_bytes(data, where=where), target)))


def finding_record(finding: Finding) -> FindingRecord:
    """One finding, as a record."""
    return FindingRecord(
        severity=str(finding.severity),
        name=finding.name,
        tensor=finding.tensor,
        op=finding.op,
        subgraph=finding.subgraph,
        operator=finding.operator,
        effect=finding.effect,
        outcomes="" if finding.outcomes is None else str(finding.outcomes),
        way_out=finding.way_out,
        source=finding.source,
    )
