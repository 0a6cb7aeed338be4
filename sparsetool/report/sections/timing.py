"""Latency and memory, measured on one machine beside the first artifact."""

from sparsetool.report.bench_record import BenchRecord, RatioRecord, SpreadRecord, TimedModelRecord
from sparsetool.report.figures import NOTHING, count, milliseconds, percent, plural, whole_bytes
from sparsetool.report.measured_record import MeasuredArtifact
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sheets import Cell, Column, Section, Sheet, Tone, section, sheet

_QUANTITIES = {
    "load_ms": "load",
    "first_ms": "first inference",
    "steady_ms": "every later inference",
    "resident_bytes": "RAM bytes after load",
}
_TONES = {"smaller": Tone.GOOD, "larger": Tone.BAD}
_OPERATORS = (Column("model"), Column("operator"), "time", "share of all")


def timing_section(record: ReportRecord) -> Section:
    """Load, first and later inferences and RAM, with what can be told from noise; or why they were not measured."""
    said = [f"{problem}." for problem in record.missing]
    if not record.measured:
        said.insert(0, "Nothing was measured on this machine.")
    else:
        said.insert(0, "Medians with quartiles of interleaved runs; a difference is told only where noise allows it.")
    sheets = [made for measured in record.measured for made in _sheets(measured)]
    return section("timing", "Latency and memory on this machine", said, sheets)


def _sheets(measured: MeasuredArtifact) -> list[Sheet]:
    bench = measured.bench
    ratios = {ratio.quantity: ratio for ratio in bench.ratios}
    columns = (
        Column("of"), Column("verdict"), "ratio", "99 % interval", "rounds", bench.reference.name, "quartiles", "runs",
        bench.candidate.name, "quartiles", "runs",
    )  # fmt: skip
    rows = [_row(quantity, bench, ratios.get(quantity)) for quantity in _QUANTITIES]
    how = f"{bench.kernel_set} kernels, {plural(bench.threads, 'thread')}, {bench.runtime}, {bench.processor}"
    sizes = ", ".join(f"{m.name}: {count(m.disk_bytes)} bytes on disk" for m in (bench.reference, bench.candidate))
    made = [sheet(measured.artifact, columns, rows, notes=(*bench.sparse, *bench.notes, how, sizes))]
    operators = [row for model in (bench.reference, bench.candidate) for row in _operators(model)]
    if operators:
        made.append(sheet(f"{measured.artifact}: where the time goes", _OPERATORS, operators, folded=True))
    return made


def _row(quantity: str, bench: BenchRecord, ratio: RatioRecord | None) -> tuple[Cell | str, ...]:
    spreads = (getattr(bench.reference, quantity), getattr(bench.candidate, quantity))
    cells = [cell for spread in spreads for cell in _spread(quantity, spread)]
    if ratio is None:
        return (_QUANTITIES[quantity], NOTHING, NOTHING, NOTHING, NOTHING, *cells)
    verdict = Cell(ratio.verdict, _TONES.get(ratio.verdict, Tone.QUIET))
    return (
        _QUANTITIES[quantity],
        verdict,
        f"{ratio.ratio:.3f}",
        f"{ratio.low:.3f} to {ratio.high:.3f}",
        count(ratio.rounds),
        *cells,
    )


def _spread(quantity: str, spread: SpreadRecord) -> tuple[str, str, str]:
    written = whole_bytes if quantity == "resident_bytes" else milliseconds
    return written(spread.median), f"{written(spread.low)} to {written(spread.high)}", count(spread.count)


def _operators(model: TimedModelRecord) -> list[tuple[str, ...]]:
    return [(model.name, o.name, milliseconds(o.ms), percent(o.share)) for o in model.operators]
