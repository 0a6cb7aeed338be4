"""The commands."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparsetool.cli import packing_commands, target_commands
from sparsetool.cli.options import (
    Force,
    Goal,
    Json,
    ModelOut,
    ObjectiveName,
    Out,
    SamplesFile,
    TargetName,
    Timeout,
    screen,
)
from sparsetool.cli.screen import show, show_json

if TYPE_CHECKING:
    from sparsetool_converters.samples import Samples

EPILOG = """\b
Exit codes:
  0  ok
  1  internal error
  2  usage, recipe, calibration data, unwritable or existing output
  3  budget exceeded
  4  verification failed, crashed or timed out
  5  unusable model file
  6  the target cannot run the model
  130  interrupted"""

app = typer.Typer(
    name="sparsetool",
    help="Turn a trained network into the smallest .tflite file that still runs, and runs right.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Mode(StrEnum):
    """Post-training quantization; the values are those of the recipe."""

    NONE = "none"
    FLOAT16 = "float16"
    DYNAMIC = "dynamic"
    INT8 = "int8"


app.add_typer(target_commands.targets, name="targets")
app.command(epilog=packing_commands.PACK_EXAMPLE)(packing_commands.pack)
app.command(epilog=packing_commands.UNPACK_EXAMPLE)(packing_commands.unpack)
app.command(epilog="\b\nExample:\n  sparsetool explain model.tflite --target litert")(target_commands.explain)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from sparsetool import __version__

        typer.echo(f"sparsetool {__version__}")
        raise typer.Exit


@app.command(epilog="\b\nExample:\n  sparsetool run models/mnist_cnn/recipe.toml")
def run(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file.")],
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Carry out a whole recipe: train, prune, convert, verify, and print what each stage did.

    Steps whose inputs have not changed are reused.
    """
    screen.hush()
    from sparsetool.pipeline.recipe_run import run_recipe
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.tables import artifact_table, layer_table, tensor_table

    record = run_recipe(recipe, out, listener=screen)
    if as_json:
        show_json(to_json("run", record))
        return
    show(layer_table(record.training))
    for artifact in record.artifacts:
        if artifact.tensors:
            show(f"\n{artifact.name}", tensor_table(artifact.tensors))
    show("", artifact_table(record.artifacts))


@app.command(epilog="\b\nExample:\n  sparsetool prune models/mnist_cnn/recipe.toml")
def prune(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file.")],
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Carry out a recipe up to the sparse checkpoint, pruned.keras."""
    screen.hush()
    from sparsetool.pipeline.recipe_run import prune_recipe
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.tables import layer_table

    record = prune_recipe(recipe, out, listener=screen)
    if as_json:
        show_json(to_json("prune", record))
        return
    show(layer_table(record))


@app.command(
    epilog="\b\nExamples:\n"
    "  sparsetool compress model.tflite -o small.tflite\n"
    "  sparsetool compress model.keras -o small.tflite.zst --quantize int8 --calibration samples.npz\n"
    "  sparsetool compress model.tflite -o small.tflite --budget disk=1.2MB,wire=600KB\n"
)
def compress(
    source: Annotated[Path, typer.Argument(help=".tflite, .tflite.zst, .keras or a SavedModel folder.")],
    output: ModelOut,
    quantize: Annotated[Mode, typer.Option(help="Post-training quantization.")] = Mode.NONE,
    calibration: Annotated[Path | None, typer.Option(help="Samples that int8 takes its ranges from.")] = None,
    target: TargetName = "litert",
    objective: ObjectiveName = Goal.DISK,
    samples: SamplesFile = None,
    budget: Annotated[str | None, typer.Option(help="Sizes not to exceed, as disk=1.2MB,wire=600KB.")] = None,
    force: Force = False,
    timeout: Timeout = 600.0,
    as_json: Json = False,
) -> None:
    """Convert one model, verify it on every kernel set, and only then write it."""
    screen.hush()
    from sparsetool.budget import Budget
    from sparsetool.pipeline.compress import compress as compress_file
    from sparsetool.pipeline.conversion import Settings
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.tables import output_table, tensor_table
    from sparsetool_converters.costs import Objective
    from sparsetool_converters.passes.quantize import Quantization

    record = compress_file(
        source,
        output,
        Settings(quantize=Quantization(quantize.value), objective=Objective(objective.value), target=target),
        calibration=_samples(calibration),
        samples=_samples(samples),
        budget=None if budget is None else Budget.parse(budget),
        force=force,
        timeout_s=timeout,
        listener=screen,
    )
    if as_json:
        show_json(to_json("compress", record))
        return
    before, sizes = record.stages[0].disk_bytes, record.sizes
    show(
        tensor_table(record.tensors),
        output_table(record.outputs, record.skipped),
        f"{source}: {before:,} bytes",
        f"{output}: disk {sizes.disk:,} bytes ({_times(before, sizes.disk)}), "
        f"wire {sizes.wire:,} bytes ({_times(before, sizes.wire)})",
    )


@app.command(epilog="\b\nExample:\n  sparsetool plan model.tflite --objective ram -o plan.json")
def plan(
    model: Annotated[Path, typer.Argument(help=".tflite, .tflite.zst, .keras or a SavedModel folder.")],
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


@app.command(epilog="\b\nExample:\n  sparsetool densify sparse.tflite -o dense.tflite")
def densify(
    source: Annotated[Path, typer.Argument(help="A model with sparse weights: .tflite or .tflite.zst.")],
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
        samples=_samples(samples),
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


@app.command(epilog="\b\nExample:\n  sparsetool verify dense.tflite small.tflite.zst --samples samples.npz")
def verify(
    reference: Annotated[Path, typer.Argument(help="The model to trust: .tflite, .tflite.zst or .keras.")],
    candidate: Annotated[Path, typer.Argument(help="The model to check, likewise.")],
    samples: SamplesFile = None,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, help="Largest error allowed, as a share of the output's largest value."),
    ] = None,
    timeout: Timeout = 600.0,
    as_json: Json = False,
) -> None:
    """Run two models on the same inputs on every kernel set and compare their outputs.

    By default outputs must agree to 1e-5 of their largest value, or, if the candidate is quantized otherwise than the
    reference, to 10 dB of signal over noise.
    """
    screen.hush()
    from sparsetool.pipeline.verify_pair import verify_pair
    from sparsetool.report.tables import output_table

    record = verify_pair(
        reference, candidate, samples=_samples(samples), tolerance=tolerance, timeout_s=timeout, listener=screen
    )
    if as_json:
        show_json({"schema_version": 1, "kind": "verify", "verdict": "pass", **asdict(record)})
        return
    show(output_table(record.outputs, record.skipped), f"pass: {candidate} answers as {reference} does")


@app.command(epilog="\b\nExample:\n  sparsetool inspect model.tflite")
def inspect(
    model: Annotated[Path, typer.Argument(help=".tflite, .tflz, .tflite.zst, .keras or a SavedModel folder.")],
    as_json: Json = False,
) -> None:
    """Show a model's sizes, operators and weights, with their zeros and how they are stored.

    Of a .tflz it shows where its bytes go, against the entropy of each tensor.
    """
    screen.hush()
    if model.suffix == packing_commands.SUFFIX:
        packing_commands.inspect(model, as_json=as_json)
        return
    from sparsetool.pipeline.sources import load_source
    from sparsetool.report.inspection import inspect_model
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.tables import tensor_table

    record = inspect_model(load_source(model), name=model.name)
    if as_json:
        show_json(to_json("inspect", record))
        return
    show(tensor_table(record.tensors), *_summary(record))


def _times(before: int, after: int) -> str:
    if before == after:
        return "the same"
    return f"{before / after:.1f}x smaller" if after < before else f"{after / before:.1f}x larger"


def _summary(record: Any) -> list[str]:
    sizes = record.sizes
    return [
        f"inputs: {'; '.join(record.inputs)}",
        f"outputs: {'; '.join(record.outputs)}",
        f"operators: {', '.join(f'{count} {name}' for name, count in record.operators.items())}",
        f"weights: {record.weights:,}, {record.zeros / max(record.weights, 1):.1%} zeros",
        f"disk {sizes.disk:,} bytes, gzip -9 {sizes.gzip:,}, zstd -19 {sizes.zstd:,}",
    ]


def _samples(path: Path | None) -> "Samples | None":
    if path is None:
        return None
    from sparsetool_converters.samples import load_samples

    return load_samples(path)
