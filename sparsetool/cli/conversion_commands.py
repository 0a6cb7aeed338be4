"""The command that says what converting a model would do, and the one that takes encoding back."""

from pathlib import Path
from typing import Annotated

import typer

from sparsetool.cli.options import (
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

PLAN_EXAMPLE = "\b\nExample:\n  sparsetool plan model.tflite --objective ram -o plan.json"
DENSIFY_EXAMPLE = "\b\nExample:\n  sparsetool densify sparse.tflite -o dense.tflite"


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
