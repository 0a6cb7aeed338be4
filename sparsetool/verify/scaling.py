"""What a tensor's stored values stand for, and whether two tensors' mean the same."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.model import Tensor


def real_values(tensor: Tensor, array: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
    """What the stored values stand for, in the tensor's shape; None for scales that are blockwise or do not fit."""
    steps = scale_of_each(tensor)
    if steps is None:
        return None if tensor.scales is not None or tensor.block_scales else array.astype(np.float64)
    scale, zero_point = steps
    return (array.astype(np.float64) - zero_point) * scale


def scale_of_each(tensor: Tensor) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]] | None:
    """Scale and zero point, each broadcasting to the tensor's shape; None where it is not quantized so."""
    scales = tensor.scales
    if scales is None or tensor.block_scales is not None or tensor.type_name.startswith("FLOAT"):
        return None
    parameters = tensor.quantization
    points = parameters.zeroPoint
    zero_points = np.zeros(1, np.int64) if points is None or not len(points) else np.asarray(points, np.int64)
    if zero_points.size not in (1, scales.size):
        return None
    zero_points = np.broadcast_to(zero_points, scales.shape)
    if scales.size == 1:
        return scales.astype(np.float64).reshape(()), zero_points.reshape(())
    axis = int(parameters.quantizedDimension)
    if axis >= len(tensor.shape) or tensor.shape[axis] != scales.size:
        return None
    shape = [scales.size if i == axis else 1 for i in range(len(tensor.shape))]
    return scales.astype(np.float64).reshape(shape), zero_points.reshape(shape)


def scaling(tensor: Tensor) -> tuple[bytes, bytes, int] | None:
    """Scales, zero points and the dimension that they run along; None if the tensor is not quantized."""
    if tensor.scales is None:
        return None
    parameters = tensor.quantization
    zero_points = np.asarray([] if parameters.zeroPoint is None else parameters.zeroPoint, np.int64)
    axis = int(parameters.quantizedDimension) if tensor.scales.size > 1 else 0
    return tensor.scales.tobytes(), zero_points.tobytes(), axis


def other_scaling(before: Tensor, after: Tensor) -> str:
    """How the quantization of two tensors differs, a clause."""
    ours, theirs = before.scales, after.scales
    if ours is None or theirs is None or ours.shape != theirs.shape:
        counts = [0 if scales is None else scales.size for scales in (theirs, ours)]
        return f"has {counts[0]:,} scales instead of {counts[1]:,}"
    different = np.flatnonzero(ours != theirs)
    if different.size:
        at = int(different[0])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = float(theirs[at] / ours[at] - 1)
        which = f"scale {at} of {ours.size:,}" if ours.size > 1 else "its scale"
        more = f", and {different.size - 1:,} more" if different.size > 1 else ""
        return f"{which} is off by {share:+.2%}: {theirs[at]:.6g} instead of {ours[at]:.6g}{more}"
    if scaling(before) == scaling(after):
        return ""
    return "has other zero points, or scales along another dimension"


def stored_zero(tensor: Tensor) -> Any:
    """The stored value of 0.0, broadcasting to the tensor's shape."""
    steps = scale_of_each(tensor)
    return 0 if steps is None else steps[1]


def bits_of(tensor: Tensor) -> int:
    narrow: Mapping[str, int] = {"INT4": 4, "UINT4": 4, "INT2": 2}
    return narrow.get(tensor.type_name, 8 * (tensor.element_dtype or np.dtype(np.int8)).itemsize)
