"""A verification as terminal tables."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.table import Table

from sparsetool.report.records import AgreementRecord, OutputRecord
from sparsetool.report.tables import plain_table
from sparsetool.report.verification_record import VerificationRecord, WeightRecord

MOST_ROWS = 24  # of constants; all of them are in the JSON
OF_LITTLE_INTEREST = ("identical", "rounded")


def outputs_of_pair(outputs: Sequence[OutputRecord]) -> Table:
    """Every metric of every output on every kernel set."""
    table = plain_table("Outputs of the candidate against the reference's")
    table.add_column("output", overflow="fold")
    table.add_column("kernels", no_wrap=True)
    for column in ("samples", "max abs", "relative", "SQNR", "cosine", "KL", "top-1 agree", "top-5 agree", "NaN, Inf"):
        table.add_column(column, justify="right", no_wrap=True)
    for output in outputs:
        first = f"{output.signature}/{output.output}" if output.signature else output.output
        table.add_row(first, output.kernel_set, f"{output.samples:,}", *_measured(output))
    return table


def _measured(output: OutputRecord) -> Iterator[str]:
    if output.identical:
        yield from ("identical", "", "", "", "")
    else:
        yield "infinite" if output.max_abs_error is None else f"{output.max_abs_error:.3g}"
        yield "infinite" if output.relative_error is None else f"{output.relative_error:.2e}"
        yield "" if output.sqnr_db is None else f"{output.sqnr_db:.1f} dB"
        yield "" if output.cosine is None else f"{output.cosine:.6f}"
        yield "" if output.kl_divergence is None else f"{output.kl_divergence:.2e}"
    yield from (agreement(output.top1), agreement(output.top5))
    yield f"{output.nan:,}, {output.infinite:,}" if output.nan or output.infinite else ""


def agreement(found: AgreementRecord | None) -> str:
    """The share that agrees, with its 95 % interval."""
    if found is None:
        return ""
    return f"{found.percent:.2f} % ({100 * found.low:.2f}-{100 * found.high:.2f})"


def weights_of_pair(weights: Sequence[WeightRecord]) -> Table:
    """The constants that are neither equal nor rounded, and weights with zeros; how many there are of all others."""
    chosen = [w for w in weights if w.relation not in OF_LITTLE_INTEREST]
    chosen += [w for w in weights if w.relation in OF_LITTLE_INTEREST and w.op and 10 * w.zeros >= w.weights > 0]
    table = plain_table("Constants, decoded")
    table.add_column("constant", overflow="fold", ratio=2)
    table.add_column("operator", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("stored", no_wrap=True)
    table.add_column("is", no_wrap=True)
    for column in ("differing", "max abs", "SQNR", "steps", "zeros kept", "zeros in blocks"):
        table.add_column(column, justify="right", no_wrap=True)
    for weight in chosen[:MOST_ROWS]:
        table.add_row(
            weight.name,
            weight.op,
            weight.type_before.lower()
            if weight.type_after in ("", weight.type_before)
            else f"{weight.type_before.lower()} to {weight.type_after.lower()}",
            weight.stored,
            weight.relation,
            f"{weight.differing:,} of {weight.weights:,}",
            "" if weight.max_abs_error is None else f"{weight.max_abs_error:.3g}",
            "" if weight.sqnr_db is None else f"{weight.sqnr_db:.1f} dB",
            "" if weight.max_steps is None else f"{weight.max_steps:.3f}",
            f"{weight.zeros_kept:,} of {weight.zeros:,}" if weight.zeros else "",
            _blocks(weight),
        )
    counts = Counter(weight.relation for weight in weights)
    table.caption = f"{len(weights):,} constants: " + ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    if len(chosen) > MOST_ROWS:
        table.caption += f"; {len(chosen) - MOST_ROWS:,} more like these are in the JSON"
    table.caption_justify = "left"
    return table


def _blocks(weight: WeightRecord) -> str:
    if not weight.block_size:
        return ""
    return f"{'x'.join(map(str, weight.block_size))}, {'kept' if weight.blocks_kept else 'not kept'}"


def verification_lines(record: VerificationRecord) -> list[str]:
    """Metrics, gates, findings, what was not compared, and the verdict at the end."""
    lines = [f"note: {note}" for note in record.notes]
    if record.metric:
        before, after = record.metric
        lines.append(
            f"{before.name}: reference {before.value:.6g}, candidate {after.value:.6g}, "
            f"on {after.samples:,} samples: {after.value - before.value:+.6g}"
        )
    for gate in record.gates:
        value = "not measured" if gate.value is None else f"{gate.value:.6g}"
        where = f", {gate.where}" if gate.where else ""
        lines.append(f"gate {gate.metric} {gate.limit:g}: {value}{where}: {'kept' if gate.kept else 'broken'}")
    if record.bisected is not None:
        found = record.bisected
        place = f"operator {found.operator} {found.op}, {found.tensor}: " if found.operator is not None else ""
        lines.append(f"bisect, {found.runs} runs of {found.operators:,} operators: {place}{found.problem}")
        if found.weights:
            lines.append(f"  constants read there: {', '.join(found.weights)}")
    lines += [str(finding) for finding in record.findings]
    if record.verdict == "pass":
        lines.append(f"pass: {record.candidate.name} answers as {record.reference.name} does")
    else:
        count = len(record.findings)
        lines.append(f"fail: {count:,} finding{'s' * (count > 1)} on {record.candidate.name}")
    return lines
