"""Where the bytes of a packed model go, as a terminal table."""

from rich.table import Table

from sparsetool.report.tables import plain_table
from sparsetool_converters.codec import Accounting


def packing_table(record: Accounting) -> Table:
    """A line for each tensor with frames of its own, then everything else; the bytes add up to the container."""
    table = plain_table("Packed bytes; bound: zeros and values at their order-0 entropy")
    table.add_column("tensor", overflow="fold", ratio=2)
    table.add_column("shape", no_wrap=True)
    table.add_column("type", no_wrap=True)
    for column in ("zeros", "stored", "packed", "bound", "packed/bound"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("how", overflow="fold", ratio=2)
    for tensor in record.tensors:
        elements = 1
        for size in tensor.shape:
            elements *= size
        table.add_row(
            tensor.name,
            "x".join(map(str, tensor.shape)),
            tensor.type.lower(),
            f"{tensor.zeros / max(elements, 1):.1%}",
            f"{tensor.stored_bytes:,}",
            f"{tensor.packed_bytes:,}",
            f"{tensor.bound_bytes:,}",
            f"{tensor.packed_bytes / max(tensor.bound_bytes, 1):.3f}",
            tensor.how,
        )
    table.add_row("tables, small tensors", "", "", "", "", f"{record.literal_bytes:,}", "", "", "one zstd frame")
    table.add_row("header, directory", "", "", "", "", f"{record.directory_bytes:,}", "", "", "")
    return table
