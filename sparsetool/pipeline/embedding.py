"""From a model's file to an array that is compiled into a program."""

import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sparsetool.pipeline.array_source import ArraySource, Contents, Language, check_name
from sparsetool.pipeline.depfile import prerequisites, write_depfile
from sparsetool.pipeline.outputs import check_destination, staged
from sparsetool_converters.codec import unpack
from sparsetool_converters.codec.container import MAGIC
from sparsetool_converters.errors import ModelFormatError, UsageError
from sparsetool_converters.model import Model

LANGUAGES = {".c": Language.C, ".cc": Language.CPP, ".cpp": Language.CPP, ".cxx": Language.CPP}


@dataclass(frozen=True, kw_only=True)
class EmbedRecord:
    """A model that was written as an array.

    Attributes:
        output: the file to compile.
        header: the file to include.
        name: the array.
        language: what it is written in.
        contents: what its bytes are: "tflite", or "tflz" for a container to unpack first.
        array_bytes: its length, which is that of the model's file.
        sha256: SHA-256 of its bytes, as hexadecimal digits.
    """

    output: str
    header: str
    name: str
    language: str
    contents: str
    array_bytes: int
    sha256: str


def embed(
    source: str | Path,
    destination: str | Path,
    *,
    language: Language | None = None,
    name: str | None = None,
    depfile: str | Path | None = None,
    force: bool = False,
) -> EmbedRecord:
    """Write a model's file, byte for byte, as an array, and beside it the header that declares it.

    Both files are written or neither; one that has its text already is left alone.

    Args:
        source: a `.tflite` or `.tflz`.
        destination: the file to compile; the header has its name with `.h`.
        language: by default as the destination's suffix says.
        name: the array, by default `g_` and the destination's name without suffix.
        depfile: a file that tells Make and Ninja what the destination depends on; replaced if it exists.
        force: whether existing files are replaced.

    Raises:
        UsageError: the destination's name tells of no language or cannot be included, or no array can be named so.
        OutputError: a file exists or cannot be written.
        ModelFormatError: the source cannot be read or is no model.
    """
    source, destination = Path(source), Path(destination)
    by_suffix = _language_of(destination)
    header = destination.with_suffix(".h")
    name = f"g_{destination.stem}" if name is None else name
    check_name(name)
    for path in (destination, header):
        check_destination(path, force=force)
    if depfile is not None:
        check_destination(Path(depfile), force=True)
    data = _content(source)
    array = ArraySource(
        name=name, language=language or by_suffix, contents=_checked_contents(data, str(source)), data=data
    )
    _write_all({header: array.header(), destination: array.source(header.name)})
    if depfile is not None:
        write_depfile(Path(depfile), {str(destination): prerequisites(source)})
    return EmbedRecord(
        output=str(destination),
        header=str(header),
        name=name,
        language=array.language,
        contents=array.contents,
        array_bytes=len(data),
        sha256=array.sha256,
    )


def _language_of(destination: Path) -> Language:
    if destination.suffix not in LANGUAGES:
        raise UsageError(f"{destination}: name the output .c for C, or .cc, .cpp or .cxx for C++")
    if not re.fullmatch(r"[\w.+ -]+", destination.name):  # anything else means something inside of #include "..."
        raise UsageError(
            f"{str(destination)!r}: a file to include is named with letters, digits, and ' ', '.', '+', '-'"
        )
    return LANGUAGES[destination.suffix]


def _content(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as problem:
        raise ModelFormatError(str(source), f"cannot be read: {problem.strerror}") from problem


def _checked_contents(data: bytes, where: str) -> Contents:
    """What the bytes are, whatever the file is called.

    Raises:
        ModelFormatError: neither of both, or damaged.
    """
    if data.startswith(MAGIC):
        Model.from_bytes(unpack(data, where=where), where=where)
        return Contents.TFLZ
    if data[4:8] != b"TFL3":
        raise ModelFormatError(where, "is neither a .tflite nor a .tflz; make one with sparsetool compress")
    Model.from_bytes(data, where=where)
    return Contents.TFLITE


def _write_all(texts: Mapping[Path, bytes]) -> None:
    with ExitStack() as changed:  # leaving it replaces all, or none if one could not be written
        for path, text in texts.items():
            changed.enter_context(staged(path)).write_bytes(text)
