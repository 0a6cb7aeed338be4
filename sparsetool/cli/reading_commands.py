"""The commands that only read models."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparsetool.cli import packing_commands
from sparsetool.cli.options import Json, SamplesFile, Timeout, samples_from, screen
from sparsetool.cli.screen import show, show_json

if TYPE_CHECKING:
    from sparsetool.report.inspection import MicroMemory

VERIFY_EXAMPLE = "\b\nExample:\n  sparsetool verify dense.tflite small.tflz --samples samples.npz"
INSPECT_EXAMPLE = "\b\nExample:\n  sparsetool inspect model.tflite"


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
        reference, candidate, samples=samples_from(samples), tolerance=tolerance, timeout_s=timeout, listener=screen
    )
    if as_json:
        show_json({"schema_version": 1, "kind": "verify", "verdict": "pass", **asdict(record)})
        return
    show(output_table(record.outputs, record.skipped), f"pass: {candidate} answers as {reference} does")


def inspect(
    model: Annotated[Path, typer.Argument(help=".tflite, .tflz, .tflite.zst, .keras or a SavedModel folder.")],
    as_json: Json = False,
) -> None:
    """Show a model's sizes, operators and weights, with their zeros and how they are stored.

    Of a .tflz it shows where its bytes go, against the entropy of each tensor.
    """
    screen.hush()
    from sparsetool.pipeline.formats import Format, format_of_source

    if format_of_source(model) is Format.TFLZ:
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
