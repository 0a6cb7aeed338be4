"""The head: what it is, whether it is right, and the numbers that matter."""

from collections.abc import Callable
from dataclasses import dataclass

from sparsetool.report.bench_record import RatioRecord
from sparsetool.report.figures import NOTHING, count, interval, milliseconds, plural, smaller, whole_bytes
from sparsetool.report.records import ArtifactRecord, RunRecord
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sheets import Column, Section, section, sheet


@dataclass(frozen=True, kw_only=True)
class KeyFigure:
    """One number that matters, of the first artifact and of the smallest.

    Attributes:
        name: with the word that tells sizes apart.
        before: of the first artifact.
        after: of the smallest.
        gain: what that is worth.
        share: the second as a share of the first, for a bar; None where a bar would say nothing.
    """

    name: str
    before: str
    after: str
    gain: str
    share: float | None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether the run is right, in a word and in a sentence."""

    passed: bool
    sentence: str


def smallest(run: RunRecord) -> ArtifactRecord:
    """The artifact that is smallest on disk; of equal ones, on the wire, then the first."""
    return min(run.artifacts, key=lambda artifact: (artifact.sizes.disk, artifact.sizes.wire))


def verdict(run: RunRecord) -> Verdict:
    """Passed, if every gate was kept and the lint found no error; no run is published with outputs that are wrong."""
    gates = [gate for artifact in run.artifacts for gate in artifact.gates]
    broken = sum(not gate.kept for gate in gates)
    errors = sum(finding.severity == "error" for artifact in run.artifacts for finding in artifact.findings)
    compared = {(a.name, o.stage, o.kernel_set) for a in run.artifacts for o in a.outputs}
    said = [f"{plural(len(run.artifacts), 'model')}, {plural(len(compared), 'comparison')} of stages on kernel sets"]
    if gates:
        said.append(f"{count(len(gates) - broken)} of {plural(len(gates), 'gate')} kept")
    said.append(f"{plural(errors, 'error')} of the lint")
    return Verdict(passed=not broken and not errors, sentence=", ".join(said))


def key_figures(record: ReportRecord) -> tuple[KeyFigure, ...]:
    """Disk, wire, accuracy, RAM and latency of the first artifact beside the smallest one; what is known of them."""
    first, least = record.run.artifacts[0], smallest(record.run)
    found = [
        _size("disk bytes", first.sizes.disk, least.sizes.disk),
        _size("wire bytes", first.sizes.wire, least.sizes.wire),
    ]
    if first.accuracy is not None and least.accuracy is not None:
        points = least.accuracy.percent - first.accuracy.percent
        found.append(
            KeyFigure(
                name="test accuracy",
                before=f"{first.accuracy.percent:.2f} %",
                after=f"{least.accuracy.percent:.2f} %",
                gain=f"{points:+.2f} points",
                share=None,
            )
        )
    bench = next((m.bench for m in record.measured if m.artifact == least.name), None)
    if bench is not None:
        ratios = {ratio.quantity: ratio for ratio in bench.ratios}
        before, after = bench.reference, bench.candidate
        found += [
            _measured(
                "RAM bytes after load",
                whole_bytes,
                before.resident_bytes.median,
                after.resident_bytes.median,
                ratios.get("resident_bytes"),
            ),
            _measured(
                "latency", milliseconds, before.steady_ms.median, after.steady_ms.median, ratios.get("steady_ms")
            ),
        ]
    return tuple(found)


def summary_section(record: ReportRecord) -> Section:
    """Every artifact in a line."""
    run = record.run
    first, least = run.artifacts[0], smallest(run)
    said = verdict(run)
    rows = [_row(first, artifact) for artifact in run.artifacts]
    columns = (
        Column("model"), "disk", "gzip -9", "zstd -19", "wire", "disk ratio", "wire ratio", "test accuracy",
        "95 % interval", "metric",
    )  # fmt: skip
    key = (
        "disk: the .tflite that the runtime maps; wire: the packed file that travels",
        f"ratios: how many times smaller than {first.name}",
    )
    return section(
        "summary",
        "Summary",
        (
            f"{'Passed' if said.passed else 'Failed'}: {said.sentence}.",
            f"{run.recipe}: the smallest on disk is {least.name}.",
        ),
        (
            sheet("Every model, in bytes", columns, rows, notes=key),
            sheet(
                f"{first.name} and {least.name}",
                (Column("of"), first.name, least.name, "gain"),
                [(f.name, f.before, f.after, f.gain) for f in key_figures(record)],
            ),
        ),
    )


def _row(first: ArtifactRecord, artifact: ArtifactRecord) -> tuple[str, ...]:
    sizes, accuracy, metric = artifact.sizes, artifact.accuracy, artifact.metric
    return (
        artifact.name,
        *map(count, (sizes.disk, sizes.gzip, sizes.zstd, sizes.wire)),
        smaller(first.sizes.disk, sizes.disk),
        smaller(first.sizes.wire, sizes.wire),
        NOTHING if accuracy is None else f"{accuracy.percent:.2f} %",
        NOTHING if accuracy is None else interval(accuracy.low, accuracy.high),
        NOTHING if metric is None else f"{metric.name} {metric.value:.4g}",
    )


def _size(name: str, before: int, after: int) -> KeyFigure:
    gain = f"{smaller(before, after)} smaller" if after <= before else f"{smaller(after, before)} larger"
    return KeyFigure(name=name, before=count(before), after=count(after), gain=gain, share=after / max(before, 1))


def _measured(
    name: str, written: Callable[[float], str], before: float, after: float, ratio: RatioRecord | None
) -> KeyFigure:
    decided = ratio is not None and ratio.verdict in ("smaller", "larger")
    told = (
        f"{ratio.verdict}, {ratio.ratio:.3f} of it" if ratio is not None and decided else "no difference beyond noise"
    )
    share = after / before if decided and before > 0 else None
    return KeyFigure(name=name, before=written(before), after=written(after), gain=told, share=share)
