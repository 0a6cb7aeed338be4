"""Records as terminal tables."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from sparsetool.report.plans import PlannedTensor
from sparsetool.report.records import ArtifactRecord, OutputRecord, QuantizedRecord, TensorRecord, TrainingRecord

KERNEL_SET_COLUMNS = ("default", "no-delegates", "reference")
MICRO_COLUMN = "micro"


def plain_table(title: str) -> Table:
    """An empty table in the manner of all reports."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)


def artifact_table(artifacts: Sequence[ArtifactRecord]) -> Table:
    """Sizes in bytes, their ratio to the first artifact's, and accuracy or the user's own metric."""
    table = plain_table("Sizes in bytes; ratios to the first row")
    table.add_column("model", no_wrap=True)
    metric = next((a.metric.name for a in artifacts if a.metric is not None), "accuracy")
    for column in ("disk", "gzip -9", "zstd -19", "wire", "disk ratio", "wire ratio", f"test {metric}"):
        table.add_column(column, justify="right", no_wrap=True)
    first = artifacts[0].sizes
    for artifact in artifacts:
        sizes = artifact.sizes
        table.add_row(
            artifact.name,
            *(f"{size:,}" for size in (sizes.disk, sizes.gzip, sizes.zstd, sizes.wire)),
            f"{first.disk / sizes.disk:.1f}x",
            f"{first.wire / sizes.wire:.1f}x",
            _on_test_set(artifact),
        )
    return table


def _on_test_set(artifact: ArtifactRecord) -> str:
    if artifact.metric is not None:
        return f"{artifact.metric.value:.4g}"
    return "" if artifact.accuracy is None else f"{artifact.accuracy.percent:.2f} %"


def layer_table(training: TrainingRecord) -> Table:
    """Zeros of each pruned variable; under it, what pruning did to accuracy and how large the checkpoint is."""
    table = plain_table("Pruned layers")
    table.caption_justify = "left"
    table.caption = (
        f"sparse checkpoint: {training.checkpoint_bytes:,} bytes on disk; validation accuracy: dense "
        f"{training.dense_accuracy:.2%}, pruned {training.pruned_accuracy:.2%}"
    )
    table.add_column("variable", no_wrap=True)
    for column in ("weights", "zeros", "asked for", "sparsity"):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in training.layers:
        table.add_row(
            layer.variable,
            f"{layer.weights:,}",
            f"{layer.zeros:,}",
            f"{layer.target_zeros:,}",
            f"{layer.zeros / layer.weights:.4%}",
        )
    return table


def tensor_table(tensors: Sequence[TensorRecord]) -> Table:
    """How each constant is stored, and why."""
    table = plain_table("Tensors")
    table.add_column("tensor", overflow="fold", ratio=2)
    table.add_column("operator", no_wrap=True)
    table.add_column("shape", no_wrap=True)
    table.add_column("type", no_wrap=True)
    for column in ("zeros", "dense bytes", "stored bytes"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("stored how and why", overflow="fold", ratio=3)
    for tensor in tensors:
        table.add_row(
            tensor.name,
            tensor.op,
            "x".join(map(str, tensor.shape)),
            tensor.type.lower(),
            f"{tensor.sparsity:.1%}",
            f"{tensor.dense_bytes:,}",
            f"{tensor.stored_bytes:,}",
            tensor.reason,
        )
    return table


def quantized_table(weights: Sequence[QuantizedRecord]) -> Table:
    """Zeros of each quantized weight, before and after."""
    table = plain_table("Quantized weights")
    table.add_column("tensor", overflow="fold")
    table.add_column("type", no_wrap=True)
    for column in ("weights", "zeros before", "zeros after"):
        table.add_column(column, justify="right", no_wrap=True)
    for weight in weights:
        table.add_row(
            weight.name,
            f"{weight.type_before.lower()} to {weight.type_after.lower()}",
            f"{weight.weights:,}",
            f"{weight.zeros_before:,}",
            f"{weight.zeros_after:,}",
        )
    return table


def plan_table(tensors: Sequence[PlannedTensor]) -> Table:
    """What each way of storing each constant would cost, a line for each way, and why the taken one is taken."""
    table = plain_table("Plan")
    table.add_column("tensor", overflow="fold", ratio=2)
    table.add_column("operator", no_wrap=True)
    table.add_column("zeros", justify="right", no_wrap=True)
    table.add_column("choice", no_wrap=True)
    for column in ("disk bytes", "RAM bytes", "left out"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("taken, and why", overflow="fold", ratio=3)
    for tensor in tensors:
        first: tuple[str, str, str] = (tensor.name, tensor.op, f"{tensor.sparsity:.1%}")
        for choice in tensor.choices:
            table.add_row(
                *first,
                choice.layout if choice.route == "dense" else f"{choice.layout}, {choice.route}",
                f"{choice.disk_bytes:,}",
                f"{choice.ram_bytes:,}",
                f"{choice.left_out:.1%}",
                tensor.reason if choice.taken else "",
                end_section=choice is tensor.choices[-1],
            )
            first = ("", "", "")
    return table


def output_table(outputs: Sequence[OutputRecord], skipped: Sequence[str]) -> Table:
    """The worst relative error of each stage's outputs, kernel set by kernel set."""
    table = plain_table("Outputs against the stage before")
    table.add_column("stage", no_wrap=True)
    on_micro = any(output.kernel_set == MICRO_COLUMN for output in outputs)
    columns = (*KERNEL_SET_COLUMNS, MICRO_COLUMN) if on_micro else KERNEL_SET_COLUMNS
    for kernel_set in columns:
        table.add_column(kernel_set, justify="right", no_wrap=True)
    table.add_column("samples", justify="right")
    for stage in dict.fromkeys(o.stage for o in outputs):
        cells = []
        for kernel_set in columns:
            found = [o for o in outputs if (o.stage, o.kernel_set) == (stage, kernel_set)]
            cells.append(_cell(found))
        table.add_row(stage, *cells, str(max(o.samples for o in outputs if o.stage == stage)))
    if skipped:
        table.caption = "\n".join(f"not compared: {problem}" for problem in skipped)
        table.caption_justify = "left"
    return table


def _cell(outputs: Sequence[OutputRecord]) -> str:
    if not outputs:
        return "not compared"
    if all(o.identical for o in outputs):
        return "identical"
    worst = max(outputs, key=lambda o: float("inf") if o.relative_error is None else o.relative_error)
    if worst.relative_error is None:
        return "infinitely off"
    noise = f", {worst.sqnr_db:.0f} dB" if worst.sqnr_db is not None else ""
    return f"{worst.relative_error:.1e} off{noise}"
