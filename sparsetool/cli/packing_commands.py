"""The commands about packed files."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sparsetool.cli.options import Force, Json, screen
from sparsetool.cli.screen import show, show_json

PACK_EXAMPLE = "\b\nExample:\n  sparsetool pack small.tflite -o small.tflz"
UNPACK_EXAMPLE = "\b\nExample:\n  sparsetool unpack small.tflz -o small.tflite"


class Packing(StrEnum):
    """What to pack as; the values are those of the pipeline."""

    TFLZ = "tflz"
    ZST = "zst"


def pack(
    source: Annotated[Path, typer.Argument(help="A .tflite, or any file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="By default the source's name as .tflz or .tflite.zst.")
    ] = None,
    wire_format: Annotated[
        Packing, typer.Option("--format", help="tflz: smallest; zst: a plain frame that any zstd tool reads.")
    ] = Packing.TFLZ,
    fast: Annotated[
        bool, typer.Option("--fast", help="Take a tenth of the time, for some percent more bytes.")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Pack a model for travelling; it comes back bit for bit."""
    screen.hush()
    from sparsetool.pipeline.formats import Format, named_beside
    from sparsetool.pipeline.pack import pack_file
    from sparsetool_converters.codec import Effort

    written = Format(wire_format.value)
    record = pack_file(
        source,
        output or named_beside(source, written),
        written=written,
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
        Path | None, typer.Option("--output", "-o", help="By default the source's name as .tflite.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Unpack a model to the file that the runtime maps."""
    from sparsetool.pipeline.formats import Format, named_beside
    from sparsetool.pipeline.unpack import unpack as unpack_file
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.small_records import UnpackRecord

    destination = output or named_beside(source, Format.TFLITE)
    size = unpack_file(source, destination, force=force)
    if as_json:
        show_json(to_json("unpack", UnpackRecord(output=str(destination), disk_bytes=size)))
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
