"""Records about targets as terminal tables and lines."""

from rich.table import Table

from sparsetool.report.tables import plain_table
from sparsetool.report.target_records import ExplanationRecord, TargetCheckRecord


def difference_table(record: TargetCheckRecord) -> Table:
    """Where the runtime is not as the table says."""
    table = plain_table(f"{record.runtime} is not as the table of {record.target} says")
    table.add_column("case", overflow="fold", ratio=3)
    for column in ("row", "kernel set", "expected", "measured"):
        table.add_column(column, no_wrap=True)
    table.add_column("", overflow="fold", ratio=2)
    for trial in record.differences:
        table.add_row(trial.case, trial.row, trial.kernel_set, trial.expected, trial.measured, trial.words)
    return table


def weight_table(record: ExplanationRecord) -> Table:
    """How each weight is stored, and whether that runs."""
    table = plain_table(f"{record.name} on {record.target}")
    table.add_column("weight", overflow="fold", ratio=2)
    table.add_column("use", overflow="fold", ratio=2)
    table.add_column("shape", no_wrap=True)
    table.add_column("stored", overflow="fold", ratio=1)
    table.add_column("runs", no_wrap=True)
    for weight in record.weights:
        shape = "x".join(map(str, weight.shape))
        table.add_row(weight.tensor, weight.use, shape, weight.stored, weight.verdict)
    return table


def use_lines(record: ExplanationRecord) -> list[str]:
    """For each use in the file, the sparse ways that the target reads, and those that it does not."""
    lines = []
    for use, weight in {weight.use: weight for weight in record.weights}.items():
        lines.append(f"{use}, on {record.target}:")
        lines += [f"  runs {way.stored}{f': {way.cost}' if way.cost else ''} ({way.source})" for way in weight.ways]
        lines += [f"  refused {way.stored}: {way.effect} ({way.source})" for way in weight.refused]
        if not weight.ways and not weight.refused:
            lines.append("  runs dense; nothing is known of sparse")
    return lines


def finding_lines(record: ExplanationRecord) -> list[str]:
    """A line for each finding, and one that counts them."""
    lines = []
    for f in record.findings:
        place = "" if f.operator is None else f" (subgraph {f.subgraph}, operator {f.operator})"
        outcomes = f" [{f.outcomes}]" if f.outcomes and f.severity == "error" else ""
        lines.append(f"{f.severity}: {f.tensor} in {f.op}{place}: {f.effect}{outcomes}; {f.way_out} ({f.source})")
    warnings = len(record.findings) - record.errors
    counts = (f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((record.errors, "error"), (warnings, "warning")))
    return [*lines, f"{', '.join(counts)} for {record.target}"]
