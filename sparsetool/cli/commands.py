"""The commands."""

from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparsetool.cli import packing_commands, quantization_commands, target_commands
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
    from sparsetool.report.inspection import MicroMemory
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


class Written(StrEnum):
    """How a model is written; the values are those of the pipeline."""

    TFLITE = "tflite"
    TFLZ = "tflz"
    ZST = "zst"


app.add_typer(target_commands.targets, name="targets")
app.command(epilog=packing_commands.PACK_EXAMPLE)(packing_commands.pack)
app.command(epilog=packing_commands.UNPACK_EXAMPLE)(packing_commands.unpack)
app.command(epilog="\b\nExample:\n  sparsetool explain model.tflite --target litert")(target_commands.explain)
app.command(epilog="\b\nExample:\n  sparsetool quantizations")(quantization_commands.quantizations)


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
    "  sparsetool compress model.keras -o small.tflz --quantize int8 --calibration samples.npz\n"
    "  sparsetool compress model.tflite -o small.tflite --quantize dynamic --quantize-layer logits=none\n"
    "  sparsetool compress model.tflite -o small.tflite --budget disk=1.2MB,wire=600KB\n"
)
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
    budget: Annotated[str | None, typer.Option(help="Sizes not to exceed, as disk=1.2MB,wire=600KB.")] = None,
    force: Force = False,
    timeout: Timeout = 600.0,
    as_json: Json = False,
) -> None:
    """Convert one model, verify it on every kernel set of its target, and only then write it."""
    screen.hush()
    from sparsetool.budget import Budget
    from sparsetool.pipeline.compress import compress as compress_file
    from sparsetool.pipeline.conversion import Settings
    from sparsetool.pipeline.formats import Format, output_path
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
        ),
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
    if record.quantized:
        show(quantized_table(record.quantized))
    show(
        tensor_table(record.tensors),
        output_table(record.outputs, record.skipped),
        f"{source}: {before:,} bytes",
        f"{output}: disk {sizes.disk:,} bytes ({_times(before, sizes.disk)}), "
        f"wire {sizes.wire:,} bytes ({_times(before, sizes.wire)})",
    )


@app.command(epilog="\b\nExample:\n  sparsetool plan model.tflite --objective ram -o plan.json")
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


@app.command(epilog="\b\nExample:\n  sparsetool densify sparse.tflite -o dense.tflite")
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


@app.command(epilog="\b\nExample:\n  sparsetool verify dense.tflite small.tflz --samples samples.npz")
def verify(
    reference: Annotated[Path, typer.Argument(help="The model to trust: .tflite, .tflz, .tflite.zst or .keras.")],
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

    Where one is stored for the micro runtime, both are run there, and nowhere else.

    By default outputs must agree to 1e-5 of their largest value, or, if the candidate is quantized otherwise than the
    reference, to 10 dB of signal over noise; 3 dB for 4-bit weights, 1 dB for 2-bit ones.
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
    if model.suffix == ".tflz":
        packing_commands.inspect(model, as_json=as_json)
        return
    from sparsetool.pipeline.micro_memory import micro_memory
    from sparsetool.pipeline.sources import load_source
    from sparsetool.report.inspection import inspect_model
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.tables import tensor_table

    data = load_source(model)
    record = replace(inspect_model(data, name=model.name), micro=micro_memory(data, name=model.name))
    if as_json:
        show_json(to_json("inspect", record))
        return
    show(tensor_table(record.tensors), *_summary(record))


def _times(before: int, after: int) -> str:
    if before == after:
        return "the same"
    return f"{before / after:.1f}x smaller" if after < before else f"{after / before:.1f}x larger"


def _summary(record: Any) -> list[str]:
    sizes, dead = record.sizes, record.dead
    return [
        f"inputs: {'; '.join(record.inputs)}",
        f"outputs: {'; '.join(record.outputs)}",
        f"operators: {', '.join(f'{count} {name}' for name, count in record.operators.items())}",
        f"weights: {record.weights:,}, {record.zeros / max(record.weights, 1):.1%} zeros",
        f"dead: {dead.channels:,} channels, whose {dead.elements:,} constants take {dead.payload_bytes:,} bytes",
        f"disk {sizes.disk:,} bytes, gzip -9 {sizes.gzip:,}, zstd -19 {sizes.zstd:,}, wire {sizes.wire:,}",
        *([] if record.micro is None else _micro_summary(record.micro)),
    ]


def _micro_summary(memory: "MicroMemory") -> list[str]:
    lines = [f"flash {memory.flash_bytes:,} bytes, {memory.dense_flash_bytes:,} with dense weights"]
    if memory.arena_bytes is None or memory.dense_arena_bytes is None:
        return [*lines, f"arena not measured; TFLM_DECODE unpacks {memory.decoded_bytes:,} bytes into it, bit by bit"]
    growth_bytes = memory.arena_bytes - memory.dense_arena_bytes
    return [
        *lines,
        f"arena {memory.arena_bytes:,} bytes, {memory.dense_arena_bytes:,} with dense weights: "
        f"{growth_bytes:,} more for {memory.decoded_bytes:,} bytes that TFLM_DECODE unpacks",
    ]


def _samples(source: str | None) -> "Samples | None":
    if source is None:
        return None
    from sparsetool.pipeline.sample_source import samples_named

    return samples_named(source)
