"""The commands that builds of programs call."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sparsetool.cli.options import Force, Json
from sparsetool.cli.screen import show, show_json

EMBED_EXAMPLE = (
    "\b\nExamples:\n"
    "  sparsetool embed small.tflite -o small_model_data.cc\n"
    "  sparsetool embed small.tflz -o model.c --name g_packed_model\n"
)
CMAKE_DIR_EXAMPLE = (
    '\b\nExample:\n  sparsetool cmake-dir\n  cmake -S . -B build "-Dsparsetool_DIR=$(sparsetool cmake-dir)"'
)


class ArrayLanguage(StrEnum):
    """What an array is written in; the values are those of the pipeline."""

    C = "c"
    CPP = "cpp"


def embed(
    model: Annotated[Path, typer.Argument(help="A .tflite or .tflz, which is embedded as it is.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to compile; the header goes beside it, named .h.")
    ],
    lang: Annotated[
        ArrayLanguage | None,
        typer.Option(help="c: C99 and later, and C++; cpp: C++11 and later; by default as OUTPUT ends."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the array; by default g_ and the name of OUTPUT without suffix.")
    ] = None,
    depfile: Annotated[
        Path | None, typer.Option("--depfile", help="A file to tell Make or Ninja in what OUTPUT depends on.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a model as an array to compile into a program: aligned to 16 bytes, constant, with its size and SHA-256."""
    from sparsetool.pipeline.array_source import Language
    from sparsetool.pipeline.embedding import embed as embed_file
    from sparsetool.report.records import as_json as to_json

    record = embed_file(
        model,
        output,
        language=None if lang is None else Language(lang.value),
        name=name,
        depfile=depfile,
        force=force,
    )
    if as_json:
        show_json(to_json("embed", record))
        return
    show(f"{record.output} and {record.header}: {record.name}, {record.array_bytes:,} bytes, SHA-256 {record.sha256}")


def cmake_dir() -> None:
    """Print the folder of the CMake package, which gives builds the function sparsetool_add_model."""
    import sparsetool

    show(str(Path(sparsetool.__file__).parent / "cmake"))
