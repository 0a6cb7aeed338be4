"""Where the bytes went: the ledger of every artifact."""

from sparsetool.report.figures import NOTHING, count, saved, whole_bytes
from sparsetool.report.ledger import Entry, entries
from sparsetool.report.records import ArtifactRecord
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sheets import Cell, Column, Section, Sheet, Tone, section, sheet

_COLUMNS = (
    Column("stage"), "disk", "saved on disk", "gzip -9", "zstd -19", "wire", "saved on the wire", "RAM after load",
)  # fmt: skip


def sizes_section(record: ReportRecord) -> Section:
    """All sizes after each stage, RAM where the result was measured."""
    return section(
        "sizes",
        "Sizes through the stages",
        (
            "All in bytes. Disk is the .tflite that the runtime maps, gzip and zstd are that file compressed, wire is "
            "the packed file that travels. RAM is what a process holds more after load and first inference, measured.",
        ),
        tuple(_ledger(record, artifact) for artifact in record.run.artifacts),
    )


def _ledger(record: ReportRecord, artifact: ArtifactRecord) -> Sheet:
    found = entries(record.run, artifact)
    rows, before = [], None
    for entry in found:
        rows.append((entry.stage, *_figures(entry, before), _ram(record, artifact, last=entry is found[-1])))
        before = entry
    folded = len(record.run.artifacts) > 3 and artifact is record.run.artifacts[0]
    return sheet(artifact.name, _COLUMNS, rows, folded=folded)


def _figures(entry: Entry, before: Entry | None) -> tuple[Cell | str, ...]:
    sizes = entry.sizes
    return (
        count(entry.disk),
        "" if before is None else _saved(before.disk, entry.disk),
        NOTHING if sizes is None else count(sizes.gzip),
        NOTHING if sizes is None else count(sizes.zstd),
        NOTHING if sizes is None else count(sizes.wire),
        "" if before is None or before.sizes is None or sizes is None else _saved(before.sizes.wire, sizes.wire),
    )


def _saved(before: int, after: int) -> Cell:
    tone = Tone.QUIET if before == after else Tone.GOOD if after < before else Tone.BAD
    return Cell(saved(before, after), tone)


def _ram(record: ReportRecord, artifact: ArtifactRecord, *, last: bool) -> str:
    if not last:
        return ""
    if artifact is record.run.artifacts[0]:
        return whole_bytes(record.measured[0].bench.reference.resident_bytes.median) if record.measured else NOTHING
    bench = next((m.bench for m in record.measured if m.artifact == artifact.name), None)
    return NOTHING if bench is None else whole_bytes(bench.candidate.resident_bytes.median)
