"""Whatever a user calls a model, as the bytes of a .tflite."""

from pathlib import Path

from sparsetool.export import export_keras, export_saved_model
from sparsetool.pipeline.formats import format_of_source, unpacked
from sparsetool_converters.errors import ModelFormatError


def load_source(path: Path) -> bytes:
    """Bytes of the .tflite that `path` is, holds packed, or is converted to.

    Args:
        path: a `.tflite`, a `.tflz` or `.tflite.zst` with one inside, a `.keras` file or a SavedModel folder.

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
    return unpacked(data, format_of_source(path), where=str(path))


def _saved_model(folder: Path) -> bytes:
    if not (folder / "saved_model.pb").is_file():
        raise ModelFormatError(str(folder), "is a folder without saved_model.pb, so it is no SavedModel")
    return export_saved_model(folder)
