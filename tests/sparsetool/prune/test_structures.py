import inspect
import re

import numpy as np
import pytest

from sparsetool.prune import Block, Channels, NOfM, PruningError, keep_mask
from sparsetool.prune.structures import ELEMENT

KERAS_KERNEL = np.random.default_rng(3).random((12, 30), np.float32)  # [in, out]


def worked_examples(structure):
    """Return the matrices of 4 rows in a docstring, those beside each other as one, in their order."""
    lines = inspect.getdoc(structure).splitlines()
    rows = [[float(word) for word in line.split()] for line in lines if re.fullmatch(r"[\d.\s]*\d[\d.\s]*", line)]
    return [np.array(rows[start : start + 4], np.float32) for start in range(0, len(rows), 4)]


def test_the_worked_example_of_single_weights():
    example, _ = worked_examples(Block)
    np.testing.assert_array_equal(keep_mask(example[:, :4], 0.5), example[:, 4:])


@pytest.mark.parametrize(("pooling", "first"), [("AVG", 4), ("MAX", 10)])
def test_the_worked_example_of_blocks(pooling, first):
    _, example = worked_examples(Block)
    block = Block((1, 2), pooling)
    np.testing.assert_array_equal(block.unit_scores(example[:, :4]), example[:, first : first + 2])
    np.testing.assert_array_equal(keep_mask(example[:, :4], 0.5, block), example[:, first + 2 : first + 6])


@pytest.mark.parametrize(("sparsity", "first"), [(0.25, 4), (0.5, 8)])
def test_the_worked_example_of_n_of_m(sparsity, first):
    (example,) = worked_examples(NOfM)
    np.testing.assert_array_equal(keep_mask(example[:, :4], sparsity, NOfM(2, 4)), example[:, first : first + 4])


@pytest.mark.parametrize(("pooling", "first"), [("AVG", 4), ("MAX", 9)])
def test_the_worked_example_of_channels(pooling, first):
    (example,) = worked_examples(Channels)
    channels = Channels(pooling)
    np.testing.assert_array_equal(channels.unit_scores(example[:, :4]), example[:, first])
    np.testing.assert_array_equal(keep_mask(example[:, :4], 0.5, channels), example[:, first + 1 : first + 5])


@pytest.mark.parametrize("block_size", [(1, 4), (5, 1), (2, 2), (3, 6), (5, 3)])
def test_means_of_blocks_are_rounded_as_those_of_two_pools_in_a_row(block_size):
    outputs, inputs = block_size
    pooled = np.zeros((12 // inputs, 30), np.float32)  # the rows of the Keras kernel first, as in factorized_pool
    for row in range(inputs):
        pooled += KERAS_KERNEL[row::inputs]
    pooled /= np.float32(inputs)
    expected = np.zeros((12 // inputs, 30 // outputs), np.float32)
    for column in range(outputs):
        expected += pooled[:, column::outputs]
    expected /= np.float32(outputs)
    np.testing.assert_array_equal(Block(block_size).unit_scores(KERAS_KERNEL.T), expected.T)


@pytest.mark.parametrize("pooling", ["AVG", "MAX"])
def test_block_scores_do_not_depend_on_the_order_in_memory(pooling):
    view = KERAS_KERNEL.reshape(3, 4, 30).transpose(2, 0, 1)  # (out, h, in)
    scores = Block((5, 2), pooling).unit_scores(view)
    assert scores.shape == (6, 3, 2)
    np.testing.assert_array_equal(scores, Block((5, 2), pooling).unit_scores(np.ascontiguousarray(view)))


def test_scoring_and_expanding_leave_the_scores_as_they_are():
    scores = np.array([[1, 2, 3, 4], [4, 3, 2, 1]], np.float32)
    before = scores.copy()
    for structure in (
        ELEMENT,
        Block((1, 2)),
        Block((2, 1), "MAX"),
        Block((2, 4)),
        NOfM(1, 2),
        Channels(),
        Channels("MAX"),
    ):
        keep_mask(scores, 0.5, structure)
        np.testing.assert_array_equal(scores, before)


def test_the_highest_of_each_group_have_infinite_scores_and_of_equals_the_last():
    scores = NOfM(2, 4).unit_scores(np.array([[3, 3, 3, 3, 0, 9, 0, 1]], np.float32))
    np.testing.assert_array_equal(scores, [[3, 3, np.inf, np.inf, 0, np.inf, 0, np.inf]])


def test_units_are_counted_over_all_axes():
    assert Block((2, 4)).units((6, 3, 3, 8)) == 54
    assert NOfM(2, 4).units((6, 3, 3, 8)) == 432
    assert Channels().units((6, 3, 3, 8)) == 6


def test_inputs_that_are_no_multiple_of_the_block_are_an_error_that_names_the_layer():
    with pytest.raises(
        PruningError, match=r"^conv/kernel: its 3 inputs are not a multiple of the 16 of block 1x16; take"
    ):
        Block((1, 16)).units((4, 3), name="conv/kernel")


def test_outputs_that_are_no_multiple_of_the_block_are_an_error():
    with pytest.raises(PruningError, match="its 3 outputs are not a multiple of the 2 of block 2x1"):
        Block((2, 1)).units((3, 4))


def test_inputs_that_are_no_multiple_of_m_are_an_error():
    with pytest.raises(PruningError, match="its 6 inputs are not a multiple of the 4 of 2:4"):
        NOfM(2, 4).units((4, 6))


@pytest.mark.parametrize("structure", [ELEMENT, NOfM(1, 2), Channels()])
@pytest.mark.parametrize("shape", [(), (4,), (0, 4), (4, 0)])
def test_an_array_without_outputs_and_inputs_is_an_error(structure, shape):
    with pytest.raises(PruningError, match=re.escape(f"output and an input axis, and weights; got the shape {shape}")):
        structure.units(shape)


@pytest.mark.parametrize("block_size", [(0, 1), (1, -4), (1, 1.5), (True, 1), (1,), (1, 2, 3), 4, "14", [1, 4]])
def test_a_block_size_that_is_not_two_whole_numbers_is_an_error(block_size):
    with pytest.raises(PruningError, match="block_size: must be a tuple of two whole numbers of 1 or more; got"):
        Block(block_size)


@pytest.mark.parametrize("structure", [lambda pooling: Block((1, 4), pooling), Channels])
def test_a_pooling_that_is_unknown_is_an_error(structure):
    with pytest.raises(PruningError, match="block_pooling_type: must be AVG or MAX; got 'avg'"):
        structure("avg")


@pytest.mark.parametrize(("n", "m"), [(0, 4), (4, 4), (5, 4), (-1, 2), (1.0, 2), (1, 2.0), (True, 2)])
def test_an_n_that_is_not_below_m_is_an_error(n, m):
    with pytest.raises(PruningError, match="needs whole numbers with 1 <= n < m; got"):
        NOfM(n, m)
