"""The zeros of a weight as a small picture: kept weights dark, zeros pale, means where there is no room for each."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsetool_converters.errors import MissingExtraError

MOST_POINTS = 128  # rows and columns of a picture
LEVELS = 16
PALE, DARK = (240, 242, 245), (8, 69, 148)


def kept_shares(weight: NDArray[Any]) -> NDArray[np.float64]:
    """The share of weights that are no zeros, of all of them or of equal boxes, `[rows, columns]`.

    Args:
        weight: `[out, ..., in]`, seen as outputs by everything else.
    """
    rows = weight.shape[0] if weight.ndim > 1 else 1
    kept = (weight != 0).reshape(rows, -1)
    down, across = (-(-size // MOST_POINTS) for size in kept.shape)
    sums = np.add.reduceat(kept.astype(np.float64), np.arange(0, kept.shape[0], down), axis=0)
    sums = np.add.reduceat(sums, np.arange(0, kept.shape[1], across), axis=1)
    ones = np.outer(_lengths(kept.shape[0], down), _lengths(kept.shape[1], across))
    shares: NDArray[np.float64] = sums / ones
    return shares


def weight_picture(shares: NDArray[np.float64]) -> bytes:
    """Draw shares between 0 and 1 as PNG of 16 colours, a point for each.

    Raises:
        MissingExtraError: the imaging library is not installed.
    """
    try:
        from PIL import Image
    except ImportError as problem:
        raise MissingExtraError("pillow", "report") from problem
    levels = np.ceil(shares * (LEVELS - 1)).astype(np.uint8)  # so that what is kept is never as pale as what is not
    picture = Image.fromarray(levels).convert("P")
    picture.putdata(levels.ravel().tolist())
    ends = np.linspace(PALE, DARK, LEVELS).round().astype(np.uint8)
    picture.putpalette(ends.ravel().tolist())
    written = io.BytesIO()
    picture.save(written, "PNG", bits=4, optimize=True)
    return written.getvalue()


def _lengths(size: int, step: int) -> NDArray[np.int64]:
    starts = np.arange(0, size, step)
    return np.diff(np.append(starts, size))
