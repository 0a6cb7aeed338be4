"""The commands about packed files."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sparsetool.cli.options import Force, Json, screen
from sparsetool.cli.screen import show, show_json

SUFFIX = ".tflz"
PACK_EXAMPLE = "\b\nExample:\n  sparsetool pack small.tflite -o small.tflz"
UNPACK_EXAMPLE = "\b\nExample:\n  sparsetool unpack small.tflz -o small.tflite"


class Format(StrEnum):
    """What to pack as."""

    TFLZ = "tflz"
    ZST = "zst"


def pack(
    source: Annotated[Path, typer.Argument(help="A .tflite, or any file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="By default the source's name with .tflz, or with .zst added.")
    ] = None,
    wire_format: Annotated[
        Format, typer.Option("--format", help="tflz: smallest; zst: a plain frame that any zstd tool reads.")
    ] = Format.TFLZ,
    fast: Annotated[
        bool, typer.Option("--fast", help="Take a tenth of the time, for some percent more bytes.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Pack a model for travelling; it comes back bit for bit."""
    screen.hush()
    from sparsetool.pipeline.pack import WireFormat, pack_file
    from sparsetool_converters.codec import Effort

    suffixed = source.with_suffix(SUFFIX) if wire_format is Format.TFLZ else source.with_name(f"{source.name}.zst")
    record = pack_file(
        source,
        output or suffixed,
        wire_format=WireFormat(wire_format.value),
        effort=Effort.FAST if fast else Effort.SMALL,
        force=force,
    )
    if as_json:
        show_json({"schema_version": 1, "kind": "pack", **asdict(record)})
        return
    show(f"{record.output}: {record.wire_bytes:,} bytes for the {record.disk_bytes:,} of {source}")


def unpack(
    source: Annotated[Path, typer.Argument(help="A packed model, .tflz or .tflite.zst.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="By default the source's name with .tflite, or without .zst.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Unpack a model to the file that the runtime maps."""
    from sparsetool.pipeline.unpack import unpack as unpack_file

    plain = (
        source.with_suffix(".tflite") if source.suffix == SUFFIX else source.parent / source.name.removesuffix(".zst")
    )
    destination = output or plain
    size = unpack_file(source, destination, force=force)
    if as_json:
        show_json({"schema_version": 1, "kind": "unpack", "output": str(destination), "disk_bytes": size})
        return
    show(f"{destination}: {size:,} bytes")


def inspect(source: Path, *, as_json: bool) -> None:
    """Where the bytes of a container go."""
    from sparsetool.pipeline.pack import account_file
    from sparsetool.report.packing_table import packing_table
    from sparsetool.report.records import as_json as to_json

    record = account_file(source)
    if as_json:
        show_json(to_json("packing", record))
        return
    show(
        packing_table(record),
        f"{source}: {record.container_bytes:,} bytes for {record.output_bytes:,}",
    )
