"""Pictures as the input of a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparsetool_converters.errors import CalibrationDataError, MissingExtraError
from sparsetool_converters.tensor_info import Array, TensorInfo

EXTRA = "images"
_MODES = {1: "L", 3: "RGB"}


def fit_images(paths: Sequence[Path], inputs: Sequence[TensorInfo]) -> Array:
    """Return pictures as samples of a model's only input, `[n, 1, height, width, channels]`, in its dtype.

    Each picture is resized as a whole, bilinear, and made gray or RGB. Float inputs get values from 0 to 1, quantized
    ones these values quantized, plain uint8 inputs the pixels; for any other scaling give arrays, or a function.

    Args:
        paths: the files.
        inputs: the model's inputs, of which there must be one, `[1, height, width, 1 or 3]`.

    Raises:
        CalibrationDataError: the model takes no pictures, or a file is none.
        MissingExtraError: Pillow is not installed.
    """
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[-1] not in _MODES:
        shapes = "; ".join(f"{info.name!r} {list(info.shape)}" for info in inputs)
        raise CalibrationDataError(
            f"pictures are for a model with one input of shape [1, height, width, 1 or 3]; this one has {shapes}"
        )
    (info,) = inputs
    if -1 in info.shape_signature[1:3]:
        raise CalibrationDataError(f"input {info.name!r} takes pictures of any size; give arrays of one")
    _, height, width, channels = info.shape
    pixels = np.stack([_pixels(path, (width, height), _MODES[channels]) for path in paths])
    pixels = pixels.reshape(len(paths), 1, height, width, channels)
    if info.is_quantized:
        return info.quantize(pixels.astype(np.float64) / 255)
    if np.dtype(info.dtype).kind == "f":
        return (pixels.astype(np.float32) / np.float32(255)).astype(info.dtype)
    if info.dtype == "uint8":
        return pixels
    raise CalibrationDataError(f"input {info.name!r} is plain {info.dtype}, which says nothing of pixels; give arrays")


def _pixels(path: Path, size: tuple[int, int], mode: str) -> Any:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as problem:
        raise MissingExtraError("Pillow", EXTRA) from problem
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert(mode).resize(size, Image.Resampling.BILINEAR), np.uint8)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as problem:
        raise CalibrationDataError(
            f"{path}: cannot be read as a picture: {' '.join(str(problem).split())}"
        ) from problem
