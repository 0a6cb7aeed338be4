"""Whether quantized values are what rounding makes of the real ones, and if not, what is wrong.

A quantizer stores the nearest step of its scale, or the last one of its type where the value lies beyond:

    real    0.24  0.26  0.51 -0.74        scale 0.5
    steps   0.48  0.52  1.02 -1.48
    stored  0     1     1    -1           each within half a step
    stored  0     1     2    -1           2 is 0.98 steps off: not what rounding gives
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# Quantizers compute in float32, where a value of many steps is known to so much of itself.
_HALF_STEP = 0.5 + 1e-3
_FLOAT32 = 3e-7
FEW = 0.01  # as many values as this share may be faults; more, and the quantizer does not round to the nearest
LEAST_SCALE_ERROR = 0.003
_AGREEMENT = 1e-4


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """What became of real values in quantized ones.

    Attributes:
        max_steps: largest distance from the real value, in steps of the scale, values beyond the type's range left out.
        astray: how many values are not the nearest.
        first: the place of the first of these, None if there is none.
        nearest: what rounding would have stored there.
        scale_error: how far the worst scale is off, as a share of it; 0.0 where no scale explains what is astray.
        scale_channel: which scale that is.
    """

    max_steps: float
    astray: int
    first: tuple[int, ...] | None = None
    nearest: int = 0
    scale_error: float = 0.0
    scale_channel: int = 0


def examine_rounding(
    reals: npt.NDArray[np.float64],
    stored: npt.NDArray[Any],
    scale: npt.NDArray[np.float64],
    zero_point: npt.NDArray[np.int64],
    bits: int,
) -> Rounding:
    """Hold stored values against the real ones that they were made from.

    Args:
        reals: real values, any shape.
        stored: integers, the same shape.
        scale: real value of a step, broadcasting to the shape; at most one axis is longer than 1.
        zero_point: the stored value of 0.0, likewise.
        bits: of the stored type, 2 to 64.
    """
    if not reals.size:
        return Rounding(max_steps=0.0, astray=0)
    values = stored.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        steps = reals / scale + zero_point
    steps = np.where(np.isnan(steps), zero_point, steps)  # 0.0 of a scale of 0.0
    off = np.abs(steps - values)
    # The lowest value of a signed type is left out by symmetric quantizers.
    highest, lowest = 2.0 ** (bits - 1) - 1, -(2.0 ** (bits - 1)) + 1
    if stored.dtype.kind == "u":
        highest, lowest = 2.0**bits - 1, 0.0
    beyond_range = ((values >= highest) & (steps > values)) | ((values <= lowest) & (steps < values))
    off = np.where(beyond_range, 0.0, off)
    wrong = off > _HALF_STEP + _FLOAT32 * np.abs(steps)
    astray = int(np.count_nonzero(wrong))
    max_steps = float(off.max())
    if not astray:
        return Rounding(max_steps=max_steps, astray=0)
    place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    nearest = steps[place]
    error, channel = _scale_error(reals, values, scale, zero_point, wrong, ~beyond_range)
    return Rounding(
        max_steps=max_steps,
        astray=astray,
        first=tuple(int(i) for i in place),
        nearest=int(np.clip(np.rint(nearest), lowest, highest)) if np.isfinite(nearest) else 0,
        scale_error=error,
        scale_channel=channel,
    )


def _scale_error(
    reals: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
    zero_point: npt.NDArray[np.int64],
    wrong: npt.NDArray[np.bool_],
    used: npt.NDArray[np.bool_],
) -> tuple[float, int]:
    """By how much the worst scale is off, if there is another one with which all of its values are right.

    A value of q steps is right for scales between |real| / (q + 1/2) and |real| / (q - 1/2); what all values of a
    channel agree on is the scale that they were made with.
    """
    long = [axis for axis, size in enumerate(scale.shape) if size > 1]
    others = tuple(axis for axis in range(reals.ndim) if axis not in long)
    steps = values - zero_point
    size = np.abs(steps)
    along = np.where(steps < 0, -reals, reals)
    along = np.where(size == 0, np.abs(reals), along)
    least = np.where(used, along / (size + 0.5), 0.0).max(axis=others, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        most = np.where(used & (size > 0), along / (size - 0.5), np.inf).min(axis=others, keepdims=True)
        off = scale / ((least + most) / 2) - 1
    several = wrong.sum(axis=others, keepdims=True) > 1
    agreed = several & (least > 0) & np.isfinite(most) & (least <= most * (1 + _AGREEMENT))
    found = agreed & (np.abs(off) > LEAST_SCALE_ERROR)
    if not found.any():
        return 0.0, 0
    worst = int(np.argmax(np.where(found, np.abs(off), 0.0)))
    return float(off.ravel()[worst]), worst
