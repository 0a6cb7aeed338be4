"""Widths of index vectors: the three that `SparseIndexVector` of TFLite's schema offers."""

import numpy as np
import numpy.typing as npt


def narrowest(values: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """The same numbers in the first of uint8, uint16 and int32 that holds them all.

    Args:
        values: numbers from 0 to 2**31 - 1, any shape.
    """
    return values.astype(narrowest_dtype(int(values.max(initial=0))), copy=False)


def narrowest_dtype(largest: int) -> np.dtype[np.integer]:
    """Element type of the narrowest vector that holds numbers from 0 to `largest`."""
    if largest <= np.iinfo(np.uint8).max:
        return np.dtype(np.uint8)
    if largest <= np.iinfo(np.uint16).max:
        return np.dtype(np.uint16)
    return np.dtype(np.int32)
