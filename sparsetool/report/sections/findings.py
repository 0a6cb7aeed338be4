"""What the lint says of the results."""

from sparsetool.report.figures import NOTHING, count, plural
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sheets import Cell, Column, Section, Tone, section, sheet
from sparsetool.report.target_records import FindingRecord

_COLUMNS = (
    Column("model"), Column("severity"), Column("finding"), Column("layer"), Column("operator"), "subgraph",
    "at operator", Column("effect", wide=True), Column("outcomes"), Column("way out", wide=True),
    Column("source", wide=True),
)  # fmt: skip


def findings_section(record: ReportRecord) -> Section:
    """Every finding, and one sentence that counts them."""
    found = [(artifact.name, finding) for artifact in record.run.artifacts for finding in artifact.findings]
    errors = sum(finding.severity == "error" for _, finding in found)
    said = f"{plural(errors, 'error')}, {plural(len(found) - errors, 'warning')} of what the target is known to do."
    rows = [_row(name, finding) for name, finding in found]
    return section("findings", "Findings of the lint", (said,), (sheet("Findings", _COLUMNS, rows),) if rows else ())


def _row(artifact: str, finding: FindingRecord) -> tuple[Cell | str, ...]:
    return (
        artifact,
        Cell(finding.severity, Tone.BAD if finding.severity == "error" else Tone.PLAIN),
        finding.name,
        finding.tensor,
        finding.op,
        count(finding.subgraph),
        NOTHING if finding.operator is None else count(finding.operator),
        finding.effect,
        finding.outcomes,
        finding.way_out,
        finding.source,
    )
