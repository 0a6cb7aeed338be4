"""In which blocks zeros come, and whether they stay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsetool.verify.blocks import BLOCKS, block_of, blocks_kept


def zeros_in(block, seed, shape=(32, 64)):
    rng = np.random.default_rng(seed)
    coarse = rng.random((shape[0] // block[0], shape[1] // block[1])) < 0.7
    coarse[0, 0], coarse[-1, -1] = True, False
    return np.kron(coarse, np.ones(block, np.bool_)).astype(np.bool_)


@given(st.sampled_from(BLOCKS), st.integers(0, 1000))
def test_the_pattern_of_the_blocks_is_found(block, seed):
    assert block_of(zeros_in(block, seed)) == block


def test_single_zeros_come_in_no_blocks():
    zeros = zeros_in((1, 4), 1)
    zeros[3, 5] = not zeros[3, 5]
    assert block_of(zeros) is None
    assert block_of(np.zeros((4, 16), np.bool_)) is None
    assert block_of(np.ones(16, np.bool_)) is None


def test_blocks_do_not_run_across_positions_of_a_filter():
    zeros = np.zeros((2, 3, 1, 2), np.bool_)
    zeros[0, 1] = True
    assert block_of(zeros) == (1, 2)


@pytest.mark.parametrize("block", [(1, 16), (4, 1), (2, 2)])
def test_a_block_with_one_weight_more_is_not_kept(block):
    before = zeros_in(block, 2)
    after = before.copy()
    assert blocks_kept(before, after, block)
    after[~before] = True
    assert blocks_kept(before, after, block), "further zeros take nothing away"
    after[tuple(np.argwhere(before)[0])] = False
    assert not blocks_kept(before, after, block)
