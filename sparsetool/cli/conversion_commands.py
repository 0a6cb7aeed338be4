"""The commands that convert a model, and the one that says what would be done."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sparsetool.cli.options import (
    BudgetTexts,
    Force,
    Goal,
    Json,
    ModelOut,
    ObjectiveName,
    SamplesFile,
    TargetName,
    Timeout,
    samples_from,
    screen,
)
from sparsetool.cli.screen import show, show_json

COMPRESS_EXAMPLE = (
    "\b\nExamples:\n"
    "  sparsetool compress model.tflite -o small.tflite\n"
    "  sparsetool compress model.keras -o small.tflz --quantize int8 --calibration samples.npz\n"
    "  sparsetool compress model.tflite -o small.tflite --quantize dynamic --quantize-layer logits=none\n"
    "  sparsetool compress model.tflite -o small.tflite --budget disk=1.2MB,wire=600KB\n"
)
PLAN_EXAMPLE = "\b\nExample:\n  sparsetool plan model.tflite --objective ram -o plan.json"
DENSIFY_EXAMPLE = "\b\nExample:\n  sparsetool densify sparse.tflite -o dense.tflite"


class Failure(StrEnum):
    """What becomes of a weight that breaks verification; the values are those of the recipe."""

    FAIL = "fail"
    KEEP_DENSE = "keep-dense"


class Written(StrEnum):
    """How a model is written; the values are those of the pipeline."""

    TFLITE = "tflite"
    TFLZ = "tflz"
    ZST = "zst"


def compress(
    source: Annotated[Path, typer.Argument(help=".tflite, .tflz, .tflite.zst, .keras or a SavedModel folder.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=".tflite for the runtime, .tflz or .tflite.zst to send; by default the name of SOURCE, as .tflz.",
        ),
    ] = None,
    written: Annotated[
        Written | None, typer.Option("--format", help="What to write; zst is a frame that any zstd tool reads.")
    ] = None,
    quantize: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Post-training quantization: none, float16, dynamic, int8, or another of `sparsetool quantizations`.",
        ),
    ] = "none",
    quantize_layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN=NAME",
            help="Another quantization where a regular expression is found in the name of a layer's weight or output; "
            "may be given again, the last one counts.",
        ),
    ] = None,
    allow_zero_loss: Annotated[
        bool, typer.Option("--allow-zero-loss", help="Let quantization make other numbers of a pruned weight's zeros.")
    ] = False,
    calibration: Annotated[
        str | None,
        typer.Option(
            help="Samples that static recipes take their ranges from: .npz, .npy, a folder of .npy files, or "
            "file.py:function."
        ),
    ] = None,
    target: TargetName = "litert",
    objective: ObjectiveName = Goal.DISK,
    samples: SamplesFile = None,
    budget: BudgetTexts = None,
    record_folder: Annotated[
        Path | None,
        typer.Option(
            "--record", help="Folder for run.json, all that was measured, and for the models before and after."
        ),
    ] = None,
    on_failure: Annotated[
        Failure,
        typer.Option(
            "--on-failure", help="Fail, or keep a weight dense, or unquantized, if verification fails because of it."
        ),
    ] = Failure.FAIL,
    force: Force = False,
    timeout: Timeout = 600.0,
    as_json: Json = False,
) -> None:
    """Convert one model, verify it on every kernel set of its target, and only then write it."""
    screen.hush()
    from sparsetool.budget import Budgets
    from sparsetool.pipeline.compress import compress as compress_file
    from sparsetool.pipeline.conversion import Settings
    from sparsetool.pipeline.formats import Format, output_path
    from sparsetool.pipeline.size_gate import size_gate
    from sparsetool.recipe_fields import OnFailure
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.tables import output_table, quantized_table, tensor_table
    from sparsetool_converters.costs import Objective
    from sparsetool_converters.passes.quantize import check_calibration
    from sparsetool_converters.passes.quantize_layers import parse_layer

    layers = tuple(map(parse_layer, quantize_layer or ()))
    check_calibration(quantize, layers, calibration)  # before samples are read
    output = output_path(source, output, None if written is None else Format(written.value))
    record = compress_file(
        source,
        output,
        Settings(
            quantize=quantize,
            quantize_layers=layers,
            allow_zero_loss=allow_zero_loss,
            objective=Objective(objective.value),
            target=target,
            on_failure=OnFailure(on_failure.value),
        ),
        calibration=samples_from(calibration),
        samples=samples_from(samples),
        gate=size_gate(Budgets.parse(budget or ())),
        force=force,
        timeout_s=timeout,
        record=record_folder,
        listener=screen,
    )
    if as_json:
        show_json(to_json("compress", record))
        return
    before, sizes = record.stages[0].disk_bytes, record.sizes
    if record.quantized:
        show(quantized_table(record.quantized))
    show(
        tensor_table(record.tensors),
        output_table(record.outputs, record.skipped),
        f"{source}: {before:,} bytes",
        f"{output}: disk {sizes.disk:,} bytes ({_times(before, sizes.disk)}), "
        f"wire {sizes.wire:,} bytes ({_times(before, sizes.wire)})",
    )


def plan(
    model: Annotated[Path, typer.Argument(help=".tflite, .tflz, .tflite.zst, .keras or a SavedModel folder.")],
    target: TargetName = "litert",
    objective: ObjectiveName = Goal.DISK,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A JSON file to save the plan in.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Show what each way of storing each weight would cost, and which one compress would take."""
    screen.hush()
    from sparsetool.pipeline.conversion import Settings
    from sparsetool.pipeline.planning import plan_model
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.tables import plan_table
    from sparsetool_converters.costs import Objective

    settings = Settings(objective=Objective(objective.value), target=target)
    record = plan_model(model, settings, destination=output, force=force, listener=screen)
    if as_json:
        show_json(to_json("plan", record))
        return
    show(
        plan_table(record.tensors),
        f"{record.target}, for {record.objective}: {record.dense_bytes:,} bytes dense; "
        f"as planned {record.disk_bytes:,} on disk, {record.ram_bytes:,} in RAM",
    )


def densify(
    source: Annotated[Path, typer.Argument(help="A model with sparse weights: .tflite, .tflz or .tflite.zst.")],
    output: ModelOut,
    max_output: Annotated[
        str,
        typer.Option(help="The most that weights made dense may take together."),
    ] = "1GB",
    samples: SamplesFile = None,
    force: Force = False,
    timeout: Timeout = 600.0,
    as_json: Json = False,
) -> None:
    """Store all sparse weights dense again, for whatever reads no sparse ones, and verify the result."""
    screen.hush()
    from sparsetool.budget import parse_size
    from sparsetool.pipeline.densify import densify as densify_file
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.tables import output_table

    record = densify_file(
        source,
        output,
        max_output=parse_size(max_output),
        samples=samples_from(samples),
        force=force,
        timeout_s=timeout,
        listener=screen,
    )
    if as_json:
        show_json(to_json("densify", record))
        return
    show(
        output_table(record.outputs, record.skipped),
        f"{source}: {record.stages[0].disk_bytes:,} bytes",
        f"{output}: disk {record.sizes.disk:,} bytes, {len(record.stages[-1].changes):,} weights made dense",
    )


def _times(before: int, after: int) -> str:
    if before == after:
        return "the same"
    return f"{before / after:.1f}x smaller" if after < before else f"{after / before:.1f}x larger"
