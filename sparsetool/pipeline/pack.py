"""From the file that the runtime maps to the one that travels."""

from dataclasses import dataclass
from pathlib import Path

from sparsetool.pipeline.formats import Format, packed, unpacked
from sparsetool.pipeline.outputs import check_destination, write
from sparsetool.pipeline.sources import load_source
from sparsetool_converters import codec
from sparsetool_converters.errors import ModelFormatError, VerificationError


@dataclass(frozen=True, kw_only=True)
class PackRecord:
    """One packed file.

    Attributes:
        output: where it was written.
        disk_bytes: the file that was packed.
        wire_bytes: what it takes packed.
    """

    output: str
    disk_bytes: int
    wire_bytes: int


def pack_file(
    source: str | Path,
    destination: str | Path,
    *,
    written: Format = Format.TFLZ,
    effort: codec.Effort = codec.Effort.SMALL,
    force: bool = False,
) -> PackRecord:
    """Pack a model, or any file, and write it once it is known to unpack to the same bytes.

    Raises:
        ModelFormatError: the source cannot be read.
        OutputError: the destination exists or cannot be written.
        VerificationError: what was packed would not come back.
    """
    source, destination = Path(source), Path(destination)
    check_destination(destination, force=force)
    data = load_source(source)
    travelling = packed(data, written, effort)
    if unpacked(travelling, written, where=str(source)) != data:
        raise VerificationError("pack", "", f"{source} does not come back from what was packed")
    write(destination, travelling)
    return PackRecord(output=str(destination), disk_bytes=len(data), wire_bytes=len(travelling))


def account_file(source: Path) -> codec.Accounting:
    """Where the bytes of a container go.

    Raises:
        ModelFormatError: it cannot be read, is no sound container, or what is packed is no model.
    """
    try:
        return codec.account(codec.open(source))
    except OSError as problem:
        raise ModelFormatError(str(source), f"cannot be read: {problem.strerror}") from problem
