"""From the packed file to the one that the runtime maps."""

from pathlib import Path

from sparsetool.pipeline.outputs import check_destination, staged
from sparsetool.pipeline.sources import TFLZ_SUFFIX, ZST_SUFFIX, load_source
from sparsetool_converters.errors import UsageError
from sparsetool_converters.model import Model


def unpack(source: str | Path, destination: str | Path, *, force: bool = False) -> int:
    """Unpack a `.tflz` or a `.tflite.zst`, and write what it holds; of a plain frame, only if it is a model.

    Returns:
        Bytes of the model on disk.

    Raises:
        UsageError: the source ends in neither.
        ModelFormatError: it is damaged, or a frame that holds no model.
        OutputError: the destination exists or cannot be written.
    """
    source, destination = Path(source), Path(destination)
    if source.suffix not in (TFLZ_SUFFIX, ZST_SUFFIX):
        raise UsageError(f"{source}: a packed model ends in {TFLZ_SUFFIX} or {ZST_SUFFIX}")
    check_destination(destination, force=force)
    model = load_source(source)
    if source.suffix == ZST_SUFFIX:
        Model.from_bytes(model, where=str(source))
    with staged(destination) as temporary:
        temporary.write_bytes(model)
    return len(model)
