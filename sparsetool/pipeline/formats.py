"""The forms in which a model is written: as the runtime maps it, or packed for the way; a file's name tells which."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from sparsetool_converters.codec import Effort, compress, decompress, pack, unpack
from sparsetool_converters.errors import UsageError


class Format(StrEnum):
    """How a model is written."""

    TFLITE = "tflite"
    """What the runtime maps."""
    TFLZ = "tflz"
    """Packed by what is known of its weights."""
    ZST = "zst"
    """One zstd frame, which any zstd tool reads."""

    @property
    def suffix(self) -> str:
        """What names of outputs end in."""
        return ".tflite.zst" if self is Format.ZST else f".{self}"


def format_of_output(destination: Path) -> Format:
    """The format that an output's name asks for.

    Raises:
        UsageError: none.
    """
    for written in Format:
        if destination.name.endswith(written.suffix):
            return written
    raise UsageError(
        f"{destination}: name the output .tflite for the runtime, .tflz for the packed file, or .tflite.zst for a "
        "frame that any zstd tool reads"
    )


def output_path(source: Path, output: Path | None, written: Format | None) -> Path:
    """Where to write what is made of a source: as asked for, or beside it, as `.tflz`.

    Raises:
        UsageError: the output's name is that of another format than the one asked for.
    """
    if output is None:
        return named_beside(source, written or Format.TFLZ)
    if written is not None and format_of_output(output) is not written:
        raise UsageError(f"{output}: the name of a file in the format {written} ends in {written.suffix}")
    return output


def output_paths(sources: Sequence[Path], folder: Path | None, written: Format | None) -> list[Path]:
    """Where to write what is made of several sources: in a folder or beside them, each under its name.

    Raises:
        UsageError: the folder is a file, or has the name of one.
    """
    beside = [named_beside(source, written or Format.TFLZ) for source in sources]
    if folder is None:
        return beside
    if folder.is_file() or (not folder.is_dir() and folder.name.endswith(tuple(f.suffix for f in Format))):
        raise UsageError(f"{folder}: of several models, -o names the folder for the results, as build/")
    return [folder / output.name for output in beside]


def named_beside(source: Path, written: Format) -> Path:
    """The source's path, but for what its name tells of its format."""
    name = source.name.removesuffix(".zst")
    bare = next((name.removesuffix(s) for s in (".tflite", ".tflz", ".keras") if name.endswith(s)), name)
    return source.parent / f"{bare or 'model'}{written.suffix}"


def format_of_source(source: Path) -> Format:
    """How a file that is there is packed, if it is."""
    return {".tflz": Format.TFLZ, ".zst": Format.ZST}.get(source.suffix, Format.TFLITE)


def packed(data: bytes, written: Format, effort: Effort = Effort.SMALL) -> bytes:
    """The bytes that travel; a model that is written unpacked would travel as `.tflz`, too."""
    return compress(data) if written is Format.ZST else pack(data, effort=effort)


def unpacked(data: bytes, read: Format, *, where: str) -> bytes:
    """The model in the bytes of a file.

    Raises:
        ModelFormatError: the packed file is damaged.
    """
    if read is Format.TFLZ:
        return bytes(unpack(data, where=where))
    return decompress(data, where=where) if read is Format.ZST else data
