"""Limits on sizes, and the sizes that they are held against."""

from sparsetool.report.figures import NOTHING, count
from sparsetool.report.records import SizeLimitRecord
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sheets import Cell, Column, Section, Tone, section, sheet

_LIMITS = (
    Column("model"), Column("size"), Column("rule"), "limit", "bytes", "baseline", Column("verdict"),
)  # fmt: skip
_BASELINE = (Column("model"), "disk", "gzip -9", "zstd -19", "wire")


def limits_section(record: ReportRecord) -> Section:
    """A row for each limit of each artifact, then the baseline; a sentence where there is neither."""
    artifacts = record.run.artifacts
    limits = [(artifact.name, *_limit(limit)) for artifact in artifacts for limit in artifact.limits]
    known = [(a.name, a.baseline) for a in artifacts if a.baseline is not None]
    before = [(name, *map(count, (was.disk, was.gzip, was.zstd, was.wire))) for name, was in known]
    sheets = [sheet("Limits, in bytes", _LIMITS, limits)] if limits else []
    sheets += [sheet("The baseline, in bytes", _BASELINE, before)] if before else []
    said = "A budget limits a size as such, a regression limits growth over the baseline."
    return section(
        "limits", "Limits on sizes", (said if sheets else "No size was limited, and none compared.",), sheets
    )


def _limit(limit: SizeLimitRecord) -> tuple[Cell | str, ...]:
    over = limit.actual_bytes - limit.limit_bytes
    return (
        limit.size,
        limit.rule,
        count(limit.limit_bytes),
        count(limit.actual_bytes),
        NOTHING if limit.baseline_bytes is None else count(limit.baseline_bytes),
        Cell("kept", Tone.GOOD) if limit.kept else Cell(f"over by {count(over)}", Tone.BAD),
    )
