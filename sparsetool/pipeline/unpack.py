"""From the packed file to what was packed."""

from pathlib import Path

from sparsetool.pipeline.formats import Format, format_of_source
from sparsetool.pipeline.outputs import check_destination, write
from sparsetool.pipeline.sources import load_source
from sparsetool_converters.errors import UsageError
from sparsetool_converters.model import Model


def unpack(source: str | Path, destination: str | Path, *, force: bool = False) -> int:
    """Unpack a `.tflz` or `.tflite.zst` and write what is inside.

    A `.tflz` holds any file and knows whether it is whole; in a zstd frame there must be a model.

    Returns:
        Bytes on disk.

    Raises:
        UsageError: the source is neither by its name.
        ModelFormatError: it is damaged, or a frame that holds no model.
        OutputError: the destination exists or cannot be written.
    """
    source, destination = Path(source), Path(destination)
    read = format_of_source(source)
    if read is Format.TFLITE:
        raise UsageError(f"{source}: a packed model ends in .tflz or .zst")
    check_destination(destination, force=force)
    content = load_source(source)
    if read is Format.ZST:
        Model.from_bytes(content, where=str(source))
    write(destination, content)
    return len(content)
