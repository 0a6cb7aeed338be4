"""The forms in which a model is written: as the runtime maps it, or packed for the way; a file's name tells which."""

from enum import StrEnum
from pathlib import Path

from sparsetool_converters.codec import compress, decompress, pack, unpack
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
    """Where to write what is made of a source: as asked for, or by its name in the current folder, as `.tflz`.

    Raises:
        UsageError: the output's name is that of another format than the one asked for.
    """
    if output is None:
        return Path(f"{bare_name(source)}{(written or Format.TFLZ).suffix}")
    if written is not None and format_of_output(output) is not written:
        raise UsageError(f"{output}: the name of a file in the format {written} ends in {written.suffix}")
    return output


def bare_name(path: Path) -> str:
    """A model's name without what tells its format."""
    name = path.resolve().name.removesuffix(".zst")
    return next((name.removesuffix(s) for s in (".tflite", ".tflz", ".keras") if name.endswith(s)), name)


def format_of_source(source: Path) -> Format:
    """How a file that is there is packed, if it is."""
    return {".tflz": Format.TFLZ, ".zst": Format.ZST}.get(source.suffix, Format.TFLITE)


def packed(model: bytes, written: Format) -> bytes:
    """The bytes that travel; a model that is written unpacked would travel as `.tflz`, too."""
    return compress(model) if written is Format.ZST else pack(model)


def unpacked(data: bytes, read: Format, *, where: str) -> bytes:
    """The model in the bytes of a file.

    Raises:
        ModelFormatError: the packed file is damaged.
    """
    if read is Format.TFLZ:
        return bytes(unpack(data, where=where))
    return decompress(data, where=where) if read is Format.ZST else data
