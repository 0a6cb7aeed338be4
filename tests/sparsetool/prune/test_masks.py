import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparsetool.prune import (
    Block,
    Channels,
    NOfM,
    PruningError,
    global_masks,
    global_zeros_asked,
    keep_mask,
    zeros_asked,
)
from sparsetool.prune.structures import ELEMENT

SHAPE = (4, 3, 8)  # (out, h, in)
BLOCKS = [ELEMENT, Block((1, 4)), Block((1, 4), "MAX"), Block((2, 1)), Block((2, 2), "MAX"), Block((4, 8))]
STRUCTURES = [*BLOCKS, NOfM(2, 4), NOfM(1, 4), NOfM(3, 4), NOfM(1, 2), NOfM(5, 8), Channels(), Channels("MAX")]

few_values = st.sampled_from([0.0, 1.0, 2.0, 3.0])  # so that most scores tie; their means are exact
tied = arrays(np.float32, SHAPE, elements=few_values)
any_scores = st.one_of(tied, arrays(np.float32, SHAPE, elements=st.floats(0, 1024, width=16)))
axis_orders = st.permutations(range(3))
unhurried = settings(deadline=None)  # a busy machine is no failure


@st.composite
def structures_with_sparsity(draw, structures=tuple(STRUCTURES)):
    structure = draw(st.sampled_from(structures))
    return structure, draw(st.floats(0, most(structure)))


def most(structure):
    return structure.max_sparsity if isinstance(structure, NOfM) else 0.999


def in_memory_as(scores, order):
    """Return a view that is the same array, with its axes in another order in memory."""
    return np.ascontiguousarray(scores.transpose(order)).transpose(np.argsort(order))


def tfmot_kept(size, sparsity):
    """k of _update_mask in pruning_impl.py, tensorflow/model-optimization 0.8.1, in the float32 that it has there."""
    return int(max(np.round(np.float32(size) * (np.float32(1) - np.float32(sparsity))), np.float32(1)))


def units_of(structure, shape):
    """Return the places in the flat array of each unit, one list for each, in the order of the array."""
    places = np.arange(np.prod(shape)).reshape(shape)
    if isinstance(structure, Channels):
        return [list(channel.flat) for channel in places]
    rows, columns = structure.block_size if isinstance(structure, Block) else (1, 1)
    return [
        list(places[(slice(out, out + rows), *middle, slice(first, first + columns))].flat)
        for out in range(0, shape[0], rows)
        for middle in np.ndindex(*shape[1:-1])
        for first in range(0, shape[-1], columns)
    ]


def slow_keep_mask(scores, sparsity, structure):
    """Say the rule once more, with lists."""
    flat = scores.ravel().astype(float)
    units = units_of(structure, scores.shape)
    pool = max if getattr(structure, "block_pooling_type", "") == "MAX" else np.mean
    unit_scores = [pool(flat[unit]) for unit in units]
    order = sorted(range(len(units)), key=lambda i: (unit_scores[i], i))
    if isinstance(structure, NOfM):
        groups = [range(first, first + structure.m) for first in range(0, len(flat), structure.m)]
        lowest = [sorted(group, key=lambda i: (flat[i], i))[: structure.m - structure.n] for group in groups]
        order = [i for i in order if any(i in group for group in lowest)]
    kept = np.ones(scores.size, bool)
    for i in order[: len(units) - tfmot_kept(len(units), sparsity)]:
        kept[units[i]] = False
    return kept.reshape(scores.shape)


@unhurried
@given(scores=tied, asked=structures_with_sparsity(), order=axis_orders)
def test_masks_are_those_of_the_rule_said_slowly(scores, asked, order):
    structure, sparsity = asked
    np.testing.assert_array_equal(
        keep_mask(in_memory_as(scores, order), sparsity, structure), slow_keep_mask(scores, sparsity, structure)
    )


@unhurried
@given(scores=any_scores, asked=structures_with_sparsity())
def test_zeros_are_exactly_as_many_as_asked(scores, asked):
    structure, sparsity = asked
    mask = keep_mask(scores, sparsity, structure)
    assert mask.shape == SHAPE
    assert mask.dtype == bool
    assert np.count_nonzero(~mask) == zeros_asked(SHAPE, sparsity, structure)


@unhurried
@given(scores=any_scores, asked=structures_with_sparsity((*BLOCKS, Channels())))
def test_blocks_and_channels_are_kept_or_pruned_whole(scores, asked):
    structure, sparsity = asked
    mask = keep_mask(scores, sparsity, structure).ravel()
    assert all(len(set(mask[unit])) == 1 for unit in units_of(structure, SHAPE))


@unhurried
@given(
    scores=any_scores, structure=st.sampled_from([s for s in STRUCTURES if isinstance(s, NOfM)]), share=st.floats(0, 1)
)
def test_each_group_keeps_n_at_the_end_and_no_fewer_before(scores, structure, share):
    kept = keep_mask(scores, structure.max_sparsity, structure).reshape(-1, structure.m)
    assert set(kept.sum(axis=1)) == {structure.n}
    before = keep_mask(scores, share * structure.max_sparsity, structure).reshape(-1, structure.m)
    assert before.sum(axis=1).min() >= structure.n


@unhurried
@given(scores=any_scores, structure=st.sampled_from(STRUCTURES), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_what_is_pruned_stays_pruned_when_the_sparsity_grows(scores, structure, shares):
    less, more = (keep_mask(scores, share * most(structure), structure) for share in sorted(shares))
    assert np.all(less | ~more)


@unhurried
@given(scores=any_scores, asked=structures_with_sparsity(), order=axis_orders)
def test_a_mask_is_the_same_in_any_order_in_memory_and_has_that_order(scores, asked, order):
    structure, sparsity = asked
    view = in_memory_as(scores, order)
    mask = keep_mask(view, sparsity, structure)
    np.testing.assert_array_equal(mask, keep_mask(scores, sparsity, structure))
    assert mask.transpose(order).flags.c_contiguous


@pytest.mark.parametrize(
    ("size", "sparsity", "kept"),  # measured: TFMOT's expression for k, run by TensorFlow 2.21
    [
        (5, 0.99, 1),
        (15, 0.7, 4),
        (15, 0.9, 2),
        (25, 0.1, 22),
        (45, 0.3, 32),
        (999_995, 0.7, 299_998),
        (3_211_265, 0.9, 321_127),
        (3_299_995, 0.9, 330_000),
    ],
)
def test_counts_are_those_of_tfmot_to_the_weight(size, sparsity, kept):
    assert size - zeros_asked((1, size), sparsity) == kept


@unhurried
@given(size=st.integers(1, 3_300_000), sparsity=st.floats(0, 1, exclude_max=True))
def test_counts_are_those_of_the_formula_in_float32(size, sparsity):
    assert size - zeros_asked((size, 1), sparsity) == tfmot_kept(size, sparsity)


def test_counts_that_float32_does_not_have_are_made_in_float64():
    assert zeros_asked((40_000, 1_001), 0.9) == 36_036_000
    assert zeros_asked((40_000, 1_001), 0.9) != 40_040_000 - tfmot_kept(40_040_000, 0.9)


def test_half_a_unit_that_is_kept_rounds_to_even():
    assert [size - zeros_asked((1, size), 0.5) for size in (1, 3, 5, 7)] == [1, 2, 2, 4]


@pytest.mark.parametrize("structure", [ELEMENT, Block((2, 4)), Channels()])
def test_one_unit_is_always_kept(structure):
    scores = np.ones((4, 8), np.float32)
    assert np.count_nonzero(keep_mask(scores, 0.9999999, structure)) == scores.size // structure.units(scores.shape)


def test_zeros_that_were_pruned_before_are_pruned_first_and_the_first_of_them():
    scores = np.array([[0, 5, 0, 0], [1, 0, 2, 0]], np.float32)
    np.testing.assert_array_equal(keep_mask(scores, 0.25), [[0, 1, 0, 1], [1, 1, 1, 1]])
    np.testing.assert_array_equal(keep_mask(scores, 0.75), [[0, 1, 0, 0], [0, 0, 1, 0]])


LARGE = np.random.default_rng(1).random((300, 1000), np.float32)  # more than the sample that selection takes
EVERY_FOURTH = np.arange(LARGE.size).reshape(LARGE.shape) % 4 == 0  # and no more than that: the sample misleads


@pytest.mark.parametrize("sparsity", [0.1, 0.3, 0.5, 0.6, 0.9])
@pytest.mark.parametrize(
    "scores",
    [
        LARGE,
        np.where(LARGE < 0.5, 0, LARGE),
        np.where(EVERY_FOURTH, 0, LARGE),
        np.where(EVERY_FOURTH, LARGE + 1, LARGE),
        np.round(LARGE, 1),
        np.ones_like(LARGE),
        np.zeros_like(LARGE),
    ],
    ids=["random", "half zeros", "every 4th zero", "every 4th high", "10 values", "ones", "zeros"],
)
def test_large_arrays_are_pruned_as_if_they_were_sorted(scores, sparsity):
    expected = np.ones(scores.size, bool)
    expected[np.argsort(scores, axis=None, kind="stable")[: zeros_asked(scores.shape, sparsity)]] = False
    np.testing.assert_array_equal(keep_mask(scores, sparsity).ravel(), expected)
    np.testing.assert_array_equal(keep_mask(np.asfortranarray(scores), sparsity).ravel(), expected)


def test_a_score_of_minus_zero_is_zero():
    scores = np.array([[-0.0, 1.0, 0.0, 2.0]], np.float32)
    np.testing.assert_array_equal(keep_mask(scores, 0.25), [[0, 1, 1, 1]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_scores_of_any_number_type_give_the_same_mask(dtype):
    scores = np.array([[7, 1, 4, 4], [2, 3, 9, 0]], dtype)
    np.testing.assert_array_equal(keep_mask(scores, 0.5), [[1, 0, 1, 1], [0, 0, 1, 0]])


def test_blocks_are_consecutive_inputs_of_one_output_of_a_convolution():
    scores = np.ones((2, 3, 3, 8), np.float32)  # (out, h, w, in)
    scores[1, 2, 0, 4:] = 0.5
    mask = keep_mask(scores, 1 / 36, Block((1, 4)))
    assert not mask[1, 2, 0, 4:].any()
    assert np.count_nonzero(~mask) == 4


@pytest.mark.parametrize("sparsity", [1 / 3 * 2, 1 - 1 / 3, 0.6666667, float(np.float32(2 / 3))])
def test_the_full_sparsity_of_n_of_m_may_be_rounded_as_float32_does(sparsity):
    assert zeros_asked((3_001, 9), sparsity, NOfM(1, 3)) == 3_001 * 6


@pytest.mark.parametrize(("structure", "inputs"), [(NOfM(1, 3), 12_586_131), (NOfM(3, 5), 10_486_205)])
def test_the_full_sparsity_of_n_of_m_is_exact_where_float32_is_off_by_one(structure, inputs):
    pruned = inputs // structure.m * (structure.m - structure.n)
    assert zeros_asked((1, inputs), structure.max_sparsity, structure) == pruned
    assert inputs - tfmot_kept(inputs, structure.max_sparsity) != pruned


@pytest.mark.parametrize("sparsity", [0.51, 0.5000001, 0.75])
def test_a_sparsity_above_that_of_n_of_m_is_an_error(sparsity):
    with pytest.raises(PruningError, match=r"sparsity: must be at most 0\.5, the 1 - n/m of 2:4; got"):
        keep_mask(np.ones((4, 4), np.float32), sparsity, NOfM(2, 4))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e38])
def test_scores_that_are_not_finite_or_cannot_be_added_are_an_error_that_names_the_layer(bad):
    with pytest.raises(PruningError, match=r"^dense/kernel: must have finite scores"):
        keep_mask(np.array([[1, 1, 1, bad]], np.float32), 0.5, name="dense/kernel")


@pytest.mark.parametrize("bad", [-1.0, -np.inf])
def test_scores_below_zero_are_an_error(bad):
    with pytest.raises(PruningError, match=rf"dense/kernel: must have scores of 0 or more; got {bad}"):
        keep_mask(np.array([[1, bad]], np.float32), 0.5, name="dense/kernel")


@pytest.mark.parametrize("sparsity", [-0.01, 1.0, 1.01, float("nan")])
def test_a_sparsity_outside_its_range_is_an_error(sparsity):
    scores = np.ones((2, 2), np.float32)
    for masks in (lambda: keep_mask(scores, sparsity), lambda: global_masks([("a", scores)], sparsity)):
        with pytest.raises(PruningError, match="sparsity: must be at least 0 and below 1"):
            masks()


@pytest.mark.parametrize(
    ("min_kept", "expected"),
    [(0.0, ([[0, 0], [0, 1]], [[0, 1], [1, 1]])), (0.5, ([[0, 1], [0, 1]], [[0, 1], [0, 1]]))],
)
def test_the_worked_example_of_global_masks(min_kept, expected):
    first, second = np.array([[1, 3], [2, 4]], np.float32), np.array([[5, 8], [6, 9]], np.float32)
    masks = global_masks([("a", first), ("b", second)], 0.5, min_kept=min_kept)
    np.testing.assert_array_equal(masks, expected)


def slow_global_masks(layers, sparsity, structure, min_kept):
    """Prune unit by unit, from the lowest, whatever layer has more than it must keep."""
    units = [units_of(structure, layer.shape) for layer in layers]
    floors = [max(-(-int(min_kept * 100) * len(of_layer) // 100), 1) for of_layer in units]
    total = sum(len(of_layer) for of_layer in units)
    pool = max if structure.block_pooling_type == "MAX" else np.mean
    scores = [[pool(layer.ravel()[unit]) for unit in of_layer] for layer, of_layer in zip(layers, units, strict=True)]
    order = sorted((score, i, j) for i, of_layer in enumerate(scores) for j, score in enumerate(of_layer))
    kept, left = [np.ones(layer.size, bool) for layer in layers], [len(of_layer) for of_layer in units]
    to_prune = total - tfmot_kept(total, sparsity)
    for _, i, j in order:
        if to_prune and left[i] > floors[i]:
            kept[i][units[i][j]] = False
            left[i] -= 1
            to_prune -= 1
    assert to_prune == 0
    return [mask.reshape(layer.shape) for mask, layer in zip(kept, layers, strict=True)]


@unhurried
@given(
    layers=st.tuples(
        tied, arrays(np.float32, (2, 8), elements=few_values), arrays(np.float32, (8, 1, 1, 8), elements=few_values)
    ),
    structure=st.sampled_from(BLOCKS[:5]),
    min_kept=st.sampled_from([0.0, 0.01, 0.07, 0.25, 0.5]),
    share=st.floats(0, 1),
    order=axis_orders,
)
def test_global_masks_are_exact_keep_the_minimum_and_have_the_order_of_layers(
    layers, structure, min_kept, share, order
):
    named = [("a", in_memory_as(layers[0], order)), ("b", layers[1].T.copy().T), ("c", layers[2])]
    sparsity = share * min(0.85, 0.95 - min_kept)
    masks = global_masks(named, sparsity, structure, min_kept=min_kept)
    for mask, expected in zip(masks, slow_global_masks(layers, sparsity, structure, min_kept), strict=True):
        np.testing.assert_array_equal(mask, expected)
    zeros = global_zeros_asked([(name, layer.shape) for name, layer in named], sparsity, structure)
    assert sum(np.count_nonzero(~mask) for mask in masks) == zeros
    assert all(mask.mean() >= min_kept and mask.any() for mask in masks)


@unhurried
@given(scores=any_scores, shares=st.tuples(st.floats(0, 0.6), st.floats(0, 0.6)))
def test_what_is_pruned_globally_stays_pruned_when_the_sparsity_grows(scores, shares):
    layers = [("a", scores[:2]), ("b", scores[2:])]
    less, more = (global_masks(layers, sparsity, min_kept=0.3) for sparsity in sorted(shares))
    assert all(np.all(a | ~b) for a, b in zip(less, more, strict=True))


def test_one_layer_of_global_masks_is_pruned_as_alone():
    scores = np.random.default_rng(0).random((16, 24), np.float32)
    (mask,) = global_masks([("a", scores)], 0.9, Block((1, 4)))
    np.testing.assert_array_equal(mask, keep_mask(scores, 0.9, Block((1, 4))))


def test_a_minimum_that_is_too_large_for_the_sparsity_is_an_error_with_the_numbers():
    layers = [("a", np.ones((2, 50), np.float32)), ("b", np.ones((2, 50), np.float32))]
    message = "min_kept: 0.07 (and at least 1) keeps 14 of 200 units in 2 layers, but sparsity 0.95 leaves 10; lower"
    with pytest.raises(PruningError, match=re.escape(message)):
        global_masks(layers, 0.95, min_kept=0.07)
    assert sum(np.count_nonzero(mask) for mask in global_masks(layers, 0.93, min_kept=0.07)) == 14


@pytest.mark.parametrize("min_kept", [-0.1, 1.5, float("nan")])
def test_a_minimum_that_is_no_share_is_an_error(min_kept):
    with pytest.raises(PruningError, match=r"min_kept: must be in 0\.\.1; got"):
        global_masks([("a", np.ones((2, 2), np.float32))], 0.5, min_kept=min_kept)


@pytest.mark.parametrize(("structure", "why"), [(NOfM(2, 4), "the same share"), (Channels(), "its own size")])
def test_global_masks_of_units_that_cannot_be_shared_out_are_an_error(structure, why):
    for refused in (
        lambda: global_masks([("a", np.ones((4, 4), np.float32))], 0.5, structure),
        lambda: global_zeros_asked([("a", (4, 4))], 0.5, structure),
    ):
        with pytest.raises(PruningError, match=rf"scope: global pruning needs blocks.*{why}.*layer by layer"):
            refused()


def test_global_masks_of_no_layers_are_an_error():
    with pytest.raises(PruningError, match="scores: must be those of one layer or more"):
        global_masks([], 0.5)


def test_a_layer_that_a_global_block_does_not_fit_is_named():
    with pytest.raises(PruningError, match=r"^second: its 3 inputs are not a multiple of the 4"):
        global_masks([("first", np.ones((4, 4))), ("second", np.ones((4, 3)))], 0.5, Block((1, 4)))
