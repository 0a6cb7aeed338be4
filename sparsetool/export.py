"""From a Keras model or a SavedModel to a dense .tflite; the one door to TensorFlow."""

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sparsetool_converters.errors import MissingExtraError, ModelFormatError


def export_keras(path: Path) -> bytes:
    """Convert a `.keras` file to the bytes of a float .tflite, zeros stored.

    Custom layers must be registered with Keras before (`keras.saving.register_keras_serializable`).

    Raises:
        MissingExtraError: TensorFlow is not installed.
        ModelFormatError: no `.keras` file, one that Keras cannot load, or one that cannot be converted.
    """
    _require_tensorflow()
    import keras

    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as problem:  # Keras lets through what zipfile, h5py, json and layers raise
        raise ModelFormatError(str(path), f"Keras cannot load it: {_first_line(problem)}") from problem
    return export_model(model, where=str(path))


def export_model(model: Any, *, where: str = "model") -> bytes:
    """Convert a built Keras model to the bytes of a float .tflite, zeros stored.

    Args:
        model: a `keras.Model`; its input's batch size becomes 1.
        where: what to call it in errors.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        ModelFormatError: an operation that TFLite does not have.
    """
    _require_tensorflow()
    with tempfile.TemporaryDirectory(prefix="sparsetool-export-") as folder:
        destination = Path(folder, "model.tflite")
        try:
            model.export(str(destination), format="litert", verbose=False)
        except Exception as problem:  # the converter raises types of several packages
            raise ModelFormatError(where, f"cannot be converted to TFLite: {_first_line(problem)}") from problem
        return destination.read_bytes()


def export_saved_model(folder: Path) -> bytes:
    """Convert a SavedModel folder to the bytes of a float .tflite, zeros stored.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        ModelFormatError: no SavedModel, or one that cannot be converted.
    """
    _require_tensorflow()
    import tensorflow as tf

    try:
        return bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert())
    except Exception as problem:  # the converter raises types of several packages
        raise ModelFormatError(str(folder), f"cannot be converted to TFLite: {_first_line(problem)}") from problem


def _require_tensorflow() -> None:
    if find_spec("tensorflow") is None:
        raise MissingExtraError("tensorflow", "train")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _first_line(problem: Exception) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return lines[0] if lines else type(problem).__name__
