"""The commands that only read models."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparsetool.cli import packing_commands
from sparsetool.cli.options import Json, screen
from sparsetool.cli.screen import show, show_json

if TYPE_CHECKING:
    from sparsetool.report.inspection import MicroMemory

INSPECT_EXAMPLE = "\b\nExample:\n  sparsetool inspect model.tflite"


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
