"""Whatever a user calls a model, as the bytes of a .tflite."""

from pathlib import Path

from sparsetool.export import export_keras, export_saved_model
from sparsetool_converters.codec import decompress, unpack
from sparsetool_converters.errors import ModelFormatError

ZST_SUFFIX = ".zst"
TFLZ_SUFFIX = ".tflz"


def load_source(path: Path) -> bytes:
    """Bytes of the .tflite that `path` is, holds packed, or is converted to.

    Args:
        path: a `.tflite`, a `.tflz`, a `.tflite.zst`, a `.keras` file or a SavedModel folder.

    Raises:
        ModelFormatError: none of these, or damaged.
        MissingExtraError: a Keras model or SavedModel, and TensorFlow is not installed.
    """
    try:
        data = path.read_bytes()
    except IsADirectoryError:
        return _saved_model(path)
    except OSError as problem:
        raise ModelFormatError(str(path), f"cannot be read: {problem.strerror}") from problem
    if path.suffix == ".keras":
        return export_keras(path)
    if path.suffix == TFLZ_SUFFIX:
        return bytes(unpack(data, where=str(path)))
    return decompress(data, where=str(path)) if path.suffix == ZST_SUFFIX else data


def _saved_model(folder: Path) -> bytes:
    if not (folder / "saved_model.pb").is_file():
        raise ModelFormatError(str(folder), "is a folder without saved_model.pb, so it is no SavedModel")
    return export_saved_model(folder)
