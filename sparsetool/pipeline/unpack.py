"""From the packed file to the one that the runtime maps."""

from pathlib import Path

from sparsetool.pipeline.outputs import check_destination, staged
from sparsetool.pipeline.sources import ZST_SUFFIX, load_source
from sparsetool_converters.errors import UsageError
from sparsetool_converters.model import Model


def unpack(source: str | Path, destination: str | Path, *, force: bool = False) -> int:
    """Unpack a `.tflite.zst`, check that a model is inside, and write it.

    Returns:
        Bytes of the model on disk.

    Raises:
        UsageError: the source does not end in .zst.
        ModelFormatError: the frame is damaged, or holds no model.
        OutputError: the destination exists or cannot be written.
    """
    source, destination = Path(source), Path(destination)
    if source.suffix != ZST_SUFFIX:
        raise UsageError(f"{source}: a packed model ends in {ZST_SUFFIX}")
    check_destination(destination, force=force)
    model = load_source(source)
    Model.from_bytes(model, where=str(source))
    with staged(destination) as temporary:
        temporary.write_bytes(model)
    return len(model)
