"""What integer kernels make of a sum, where all of them make the same.

Kernels scale an int32 sum in different ways: in float32 (XNNPACK), or by a 31-bit multiplier, a rounding to some
fraction of a step, and a second rounding (gemmlowp's). They agree wherever the exact result is far enough from a tie.
"""

import numpy as np
import numpy.typing as npt

from sparsetool_converters.model import Tensor
from sparsetool_converters.passes.compact.view import Array, Unclear

Known = npt.NDArray[np.float64]  # a known number for each channel, NaN where it is not known

NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)  # schema.ActivationFunctionType
_LIMITS = {NONE: (-np.inf, np.inf), RELU: (0.0, np.inf), RELU_N1_TO_1: (-1.0, 1.0), RELU6: (0.0, 6.0)}
_CLEARANCE = 1e-3  # of a step: more than float32 or a 31-bit multiplier can be wrong by, in 8 bits
_RELATIVE = {1: 2.0**-20, 2: 2.0**-13}  # the same, of the result, by bytes: 16-bit kernels use 16-bit multipliers


def is_quantized(tensor: Tensor) -> bool:
    """Whether the tensor holds integers with one scale and one zero point."""
    scales = tensor.scales
    return tensor.type_name in ("INT8", "UINT8", "INT16") and scales is not None and len(scales) == 1 and scales[0] > 0


def zero_of(tensor: Tensor) -> float:
    """The stored value that stands for the real number 0."""
    if tensor.type_name == "FLOAT32":
        return 0.0
    if not is_quantized(tensor):
        raise Unclear
    return float(tensor.info().zero_point)


def scale_of(tensor: Tensor) -> float:
    """Real value of one step, as the file has it, in float64."""
    if not is_quantized(tensor) or tensor.scales is None:
        raise Unclear
    return float(tensor.scales[0])


def settled(sums: Array, factors: Array, y: Tensor, fused: int) -> Known:
    """The stored outputs that every kernel gives for these sums; NaN where kernels may differ.

    Args:
        sums: exact sums of products, without zero points.
        factors: real value of one step of the sums, over that of the output.
        y: the output.
        fused: a value of the schema's ActivationFunctionType.
    """
    exact = sums.astype(np.float64) * factors
    shift = -np.frexp(factors)[1].astype(np.float64)
    first_rounding = np.where(shift >= 1, 2.0 ** -(np.clip(shift, 0, 60) + 1), 0.0)
    margin = _CLEARANCE + first_rounding + np.abs(exact) * _RELATIVE[y.dtype().itemsize]
    return _agreed(exact - margin, exact + margin, y, fused)


def nearest(real: Known, y: Tensor) -> Known:
    """The stored values nearest to real ones; NaN where that is nearly a tie."""
    steps = real / scale_of(y)
    margin = _CLEARANCE + np.abs(steps) * _RELATIVE[y.dtype().itemsize]
    return _agreed(steps - margin, steps + margin, y, NONE)


def clipped(stored: Known, y: Tensor, fused: int) -> Known:
    """Stored values within the range of a fused activation."""
    steps = stored - zero_of(y)
    return _agreed(steps, steps, y, fused)


def _agreed(low: Known, high: Known, y: Tensor, fused: int) -> Known:
    """What both ends round to, once they are in range; the ends of the range are rounded likewise."""
    if fused not in _LIMITS:
        raise Unclear
    limits, zero = np.iinfo(y.dtype()), zero_of(y)
    ends = [limit / scale_of(y) for limit in _LIMITS[fused]]
    found = []
    for steps, sign in ((low, -1), (high, 1)):
        least, most = (np.floor(end + sign * _CLEARANCE + 0.5) for end in ends)
        stored = np.clip(np.floor(steps + 0.5), least, most) + zero
        found.append(np.clip(stored, limits.min, limits.max))
    return np.where(found[0] == found[1], found[0], np.nan)


def float_activation(values: Known, fused: int) -> Known:
    """A fused activation in float32."""
    if fused == TANH:
        return np.tanh(values.astype(np.float32)).astype(np.float64)
    if fused not in _LIMITS:
        raise Unclear
    least, most = _LIMITS[fused]
    return np.clip(values, least, most)
