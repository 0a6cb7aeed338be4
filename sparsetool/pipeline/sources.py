"""Whatever a user calls a model, as the bytes of a .tflite."""

from pathlib import Path

from sparsetool.export import export_keras, export_saved_model
from sparsetool_converters.codec import decompress
from sparsetool_converters.errors import ModelFormatError

ZST_SUFFIX = ".zst"


def load_source(path: Path) -> bytes:
    """Bytes of the .tflite that `path` is, holds packed, or is converted to.

    Args:
        path: a `.tflite`, a `.tflite.zst`, a `.keras` file or a SavedModel folder.

    Raises:
        ModelFormatError: none of these, or damaged.
        MissingExtraError: a Keras model or SavedModel, and TensorFlow is not installed.
    """
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            raise ModelFormatError(str(path), "is a folder without saved_model.pb, so it is no SavedModel")
        return export_saved_model(path)
    if path.suffix == ".keras":
        _read(path)
        return export_keras(path)
    data = _read(path)
    return decompress(data, where=str(path)) if path.suffix == ZST_SUFFIX else data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ModelFormatError(str(path), f"cannot be read: {problem.strerror}") from problem
