"""What became of several models, as a terminal table."""

from rich.table import Table

from sparsetool.report.size_records import BatchRecord
from sparsetool.report.tables import plain_table


def batch_table(batch: BatchRecord) -> Table:
    """A line for each model: what became of it, and its sizes in bytes before and after."""
    table = plain_table(f"{len(batch.made):,} made, {len(batch.failures):,} failed; sizes in bytes")
    table.add_column("model", overflow="fold")
    table.add_column("output", overflow="fold")
    table.add_column("", no_wrap=True)
    for column in ("before", "disk", "wire"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in batch.made:
        sizes = one.artifact.sizes
        before = one.artifact.stages[0].disk_bytes
        table.add_row(one.source, one.output, one.outcome, f"{before:,}", f"{sizes.disk:,}", f"{sizes.wire:,}")
    for failure in batch.failures:
        table.add_row(failure.name, "", f"failed, {failure.exit_code}", "", "", "")
    return table
