import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparsetool.prune import PruningError, block_scores, magnitude_mask, pruned_blocks

FEW_VALUES = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 1.0, 2.0])  # so that most scores tie


def test_the_worked_example_of_the_docstring():
    weights = np.array(
        [[0.1, 0.1, 0.9, -0.7], [-0.5, 0.5, 0.2, 0.0], [0.3, -0.1, 0.2, 0.2], [-0.6, 0.6, 0.4, -0.4]],
        np.float32,
    )
    np.testing.assert_allclose(block_scores(weights, (1, 2)), [[0.1, 0.8], [0.5, 0.1], [0.2, 0.2], [0.6, 0.4]])
    expected = [[0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
    np.testing.assert_array_equal(magnitude_mask(weights, 0.5, (1, 2)), expected)


@given(
    weights=arrays(np.float32, (4, 3, 8), elements=FEW_VALUES),
    sparsity=st.floats(0, 1),
    block=st.sampled_from([(1, 1), (1, 4), (2, 1), (4, 8)]),
)
def test_pruned_blocks_are_counted_exactly_with_ties(weights, sparsity, block):
    mask = magnitude_mask(weights, sparsity, block)
    size = block[0] * block[1]
    assert mask.shape == weights.shape
    assert np.count_nonzero(~mask) == pruned_blocks(weights.size // size, sparsity) * size


@given(weights=arrays(np.float32, (6, 5), elements=FEW_VALUES), pruned=st.integers(0, 30))
def test_the_lowest_are_pruned_and_of_equals_the_first(weights, pruned):
    order = np.argsort(np.abs(weights).ravel(), kind="stable")
    expected = np.ones(weights.size, bool)
    expected[order[:pruned]] = False
    np.testing.assert_array_equal(magnitude_mask(weights, pruned / 30).ravel(), expected)


def test_the_mask_does_not_depend_on_the_memory_layout():
    weights = np.random.default_rng(0).integers(-3, 4, (12, 20)).astype(np.float32)
    np.testing.assert_array_equal(magnitude_mask(weights, 0.5), magnitude_mask(np.asfortranarray(weights), 0.5))


def test_blocks_are_consecutive_inputs_of_one_output_of_a_convolution():
    weights = np.ones((2, 3, 3, 8), np.float32)  # (out, h, w, in)
    weights[1, 2, 0, 4:] = 0.5
    mask = magnitude_mask(weights, 1 / 36, (1, 4))
    assert not mask[1, 2, 0, 4:].any()
    assert np.count_nonzero(~mask) == 4


def test_half_a_block_rounds_to_even():
    assert [pruned_blocks(blocks, 0.5) for blocks in (1, 3, 5)] == [0, 2, 2]


def test_inputs_that_are_no_multiple_of_the_block_are_an_error_that_names_the_layer():
    with pytest.raises(PruningError, match="conv/kernel: its 3 inputs are not a multiple of the 16 of block 1x16"):
        magnitude_mask(np.ones((4, 3), np.float32), 0.5, (1, 16), name="conv/kernel")


def test_outputs_that_are_no_multiple_of_the_block_are_an_error():
    with pytest.raises(PruningError, match="its 3 outputs are not a multiple of the 2"):
        magnitude_mask(np.ones((3, 4), np.float32), 0.5, (2, 1))


def test_a_block_without_extent_is_an_error():
    with pytest.raises(PruningError, match="block_size"):
        magnitude_mask(np.ones((4, 4), np.float32), 0.5, (0, 1))


def test_a_vector_is_an_error():
    with pytest.raises(PruningError, match="output and an input axis"):
        magnitude_mask(np.ones(4, np.float32), 0.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_an_error(bad):
    with pytest.raises(PruningError, match="not finite"):
        magnitude_mask(np.array([[1, bad]], np.float32), 0.5)


@pytest.mark.parametrize("sparsity", [-0.01, 1.01, float("nan")])
def test_a_sparsity_outside_its_range_is_an_error(sparsity):
    with pytest.raises(PruningError, match="sparsity"):
        magnitude_mask(np.ones((2, 2), np.float32), sparsity)
