"""The proof: outputs of each stage against those of the stage before."""

from sparsetool.report.figures import NOTHING, count, decibels, error, interval, plural, real
from sparsetool.report.records import AgreementRecord, ArtifactRecord, GateRecord, OutputRecord
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sheets import Cell, Column, Section, Sheet, Tone, section, sheet

_OUTPUTS = (
    Column("stage"), Column("kernel set"), Column("signature"), Column("output"), "samples", Column("equal"),
    "largest error", "of the largest value", "SQNR", "cosine", "KL divergence", "top-1", "top-1 interval", "top-5",
    "top-5 interval", "NaN", "infinite",
)  # fmt: skip
_GATES = (Column("model"), Column("gate"), "limit", "measured", Column("where"), Column("kept"))
_KEPT = (Column("model"), Column("layer"), Column("stage"), Column("why it was left as it was", wide=True))


def verification_section(record: ReportRecord) -> Section:
    """All metrics of all outputs on all kernel sets; what was not compared, and why; gates."""
    artifacts = record.run.artifacts
    gates = [_gate_row(artifact.name, gate) for artifact in artifacts for gate in artifact.gates]
    kept = [(a.name, k.tensor, k.stage, k.reason) for a in artifacts for k in a.kept]
    said = ["Every stage's outputs beside those of the stage before, on the same samples, kernel set by kernel set."]
    if not gates:
        said.append("No gates were set.")
    said += [f"Not compared, {a.name}: {problem}." for a in artifacts for problem in a.skipped]
    sheets = []
    if gates:
        sheets.append(sheet("Gates", _GATES, gates))
    if kept:
        sheets.append(sheet("Weights that gates kept from being changed", _KEPT, kept))
    sheets += [_outputs(artifact, folded=len(artifact.outputs) > 12) for artifact in artifacts if artifact.outputs]
    return section("verification", "Verification", said, sheets)


def _gate_row(artifact: str, gate: GateRecord) -> tuple[Cell | str, ...]:
    kept = Cell("yes", Tone.GOOD) if gate.kept else Cell("no", Tone.BAD)
    return artifact, gate.metric, real(gate.limit), real(gate.value), gate.where, kept


def _outputs(artifact: ArtifactRecord, *, folded: bool) -> Sheet:
    rows = [_row(output) for output in artifact.outputs]
    equal = sum(output.identical for output in artifact.outputs)
    title = f"{artifact.name}: {count(equal)} of {plural(len(rows), 'comparison')} equal bit for bit"
    return sheet(title, _OUTPUTS, rows, folded=folded)


def _row(output: OutputRecord) -> tuple[Cell | str, ...]:
    measured = not output.identical
    return (
        output.stage,
        output.kernel_set,
        output.signature,
        output.output,
        count(output.samples),
        Cell("yes", Tone.GOOD) if output.identical else Cell("no", Tone.QUIET),
        error(output.max_abs_error) if measured else NOTHING,
        error(output.relative_error) if measured else NOTHING,
        decibels(output.sqnr_db),
        real(output.cosine) if measured else NOTHING,
        error(output.kl_divergence) if measured else NOTHING,
        *_agreement(output.top1),
        *_agreement(output.top5),
        _strange(output.nan),
        _strange(output.infinite),
    )


def _agreement(found: AgreementRecord | None) -> tuple[str, str]:
    if found is None:
        return NOTHING, NOTHING
    return f"{count(found.agreeing)} of {count(found.samples)}", interval(found.low, found.high)


def _strange(number: int) -> Cell | str:
    return Cell(count(number), Tone.BAD) if number else NOTHING
