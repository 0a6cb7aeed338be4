"""In which blocks a weight's zeros come.

1 2 0 0 0 0 0 0       zeros in whole blocks of 1x2 and of 1x4, not of 2x1
0 0 0 0 3 4 5 6
"""

from typing import Any

import numpy as np
import numpy.typing as npt

# Outputs by consecutive inputs on the TFLite layout, the largest first: what the trainer prunes and the encoder stores.
BLOCKS = ((4, 4), (1, 16), (16, 1), (1, 8), (8, 1), (1, 4), (4, 1), (2, 2), (1, 2), (2, 1))


def block_of(zeros: npt.NDArray[np.bool_]) -> tuple[int, int] | None:
    """The largest block in which all zeros come, (outputs, inputs); None if they come singly, or there are none.

    Args:
        zeros: True where the weight is zero, `[out, ..., in]`.
    """
    if zeros.ndim < 2 or not zeros.any():
        return None
    matrix = zeros.reshape(zeros.shape[0], -1)
    for rows, columns in BLOCKS:
        blocks = _blocks(matrix, rows, columns)
        if blocks is not None and zeros.shape[-1] % columns == 0:
            whole = blocks.all(axis=(1, 3))
            if np.count_nonzero(whole) * rows * columns == np.count_nonzero(matrix):
                return rows, columns
    return None


def blocks_kept(before: npt.NDArray[np.bool_], after: npt.NDArray[np.bool_], block: tuple[int, int]) -> bool:
    """Whether every block of zeros is still one.

    Args:
        before: True where the reference is zero, `[out, ..., in]`.
        after: the same of the candidate.
        block: (outputs, inputs), which divides the shape.
    """
    ours, theirs = (_blocks(zeros.reshape(zeros.shape[0], -1), *block) for zeros in (before, after))
    assert ours is not None
    assert theirs is not None
    whole = np.all(ours, axis=(1, 3)), np.all(theirs, axis=(1, 3))
    return bool(np.all(whole[1] | ~whole[0]))


def _blocks(matrix: npt.NDArray[Any], rows: int, columns: int) -> npt.NDArray[Any] | None:
    """The matrix as (blocks down, rows, blocks across, columns); None if blocks do not divide it."""
    height, width = matrix.shape
    if height % rows or width % columns:
        return None
    return matrix.reshape(height // rows, rows, width // columns, columns)
