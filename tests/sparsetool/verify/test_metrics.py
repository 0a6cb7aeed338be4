"""Each figure against what numpy says directly."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsetool.verify.metrics import agreement_in_top, cosine, kl_divergence

RNG = np.random.default_rng(8)
FINITE = st.floats(-1e3, 1e3, allow_subnormal=False)
ROWS = hnp.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=8)
ANY = hnp.arrays(np.float64, (3, 7), elements=st.floats(width=32))


def test_cosine_is_numpys():
    one, other = RNG.normal(size=(5, 3, 4)), RNG.normal(size=(5, 3, 4))
    wanted = np.sum(one * other) / np.sqrt(np.sum(one**2) * np.sum(other**2))
    assert cosine(one, other) == pytest.approx(wanted, rel=1e-12)


@given(hnp.arrays(np.float64, ROWS, elements=FINITE), st.floats(0.01, 100))
def test_cosine_knows_no_size(values, factor):
    found = cosine(values, values * factor)
    assert found is None or found == pytest.approx(1.0)
    assert (found is None) == (np.linalg.norm(values) == 0)
    assert cosine(values, -values * factor) == (None if found is None else pytest.approx(-1.0))


@pytest.mark.parametrize("values", [np.zeros((2, 3)), np.array([[1.0, np.nan]]), np.array([[1.0, np.inf]])])
def test_cosine_of_nothing_is_none(values):
    assert cosine(values, np.ones_like(values)) is None
    assert cosine(np.ones_like(values), values) is None


def probabilities(shape, seed):
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:-1])


def test_kl_divergence_of_probabilities_is_numpys():
    p, q = probabilities((6, 5), 1), probabilities((6, 5), 2)
    assert kl_divergence(p, q) == pytest.approx(np.mean(np.sum(p * np.log(p / q), axis=-1)), rel=1e-9)


def test_kl_divergence_of_logits_is_that_of_their_softmax():
    ours, theirs = RNG.normal(size=(4, 2, 5)) * 3, RNG.normal(size=(4, 2, 5)) * 3
    p, q = (np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True) for x in (ours, theirs))
    wanted = np.mean(np.sum(p * np.log(p / q), axis=-1))
    assert kl_divergence(ours, theirs) == pytest.approx(wanted, rel=1e-9)
    assert kl_divergence(ours + 1000, theirs - 1000) == pytest.approx(wanted, rel=1e-9)


def test_a_zero_of_the_reference_counts_nothing_and_one_of_the_candidate_is_a_very_small_number():
    p, q = np.array([[0.0, 0.5, 0.5]]), np.array([[0.5, 0.25, 0.25]])
    assert kl_divergence(p, q) == pytest.approx(math.log(2))
    assert kl_divergence(q, p) == pytest.approx(0.5 * math.log(0.5 / 1e-12) + 0.5 * math.log(0.5))


def test_probabilities_in_steps_of_int8_are_probabilities():
    p = np.round(probabilities((8, 10), 3) * 256) / 256
    assert kl_divergence(p, p) == 0.0
    assert np.any(np.abs(p.sum(axis=1) - 1) > 1e-6)


@given(hnp.arrays(np.float64, ROWS, elements=FINITE), st.data())
def test_kl_divergence_is_never_negative_and_zero_of_the_same(values, data):
    other = data.draw(hnp.arrays(np.float64, values.shape, elements=FINITE))
    found = kl_divergence(values, other)
    assert found is not None
    assert 0.0 <= found < math.inf
    assert kl_divergence(values, values) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    "values", [np.ones(3), np.ones((3, 1)), np.ones((0, 3)), np.array([[1.0, np.nan]]), np.array([[1.0, np.inf]])]
)
def test_kl_divergence_of_no_classes_is_none(values):
    assert kl_divergence(values, values) is None


@pytest.mark.parametrize("places", [1, 5])
def test_agreement_is_counted_as_numpy_counts_it(places):
    ours = RNG.normal(size=(50, 3, 12))
    theirs = ours + RNG.normal(size=ours.shape)
    best = ours.argmax(axis=-1)[..., np.newaxis]
    wanted = np.any(np.argsort(theirs, axis=-1)[..., -places:] == best, axis=-1)
    found = agreement_in_top(ours, theirs, places)
    assert (found.agreeing, found.decisions) == (wanted.sum(), 150)
    assert found.share == wanted.mean()
    assert 0 < found.low < found.share < found.high < 1


@given(ANY)
def test_an_output_agrees_with_itself_in_every_row(values):
    for places in (1, 5):
        found = agreement_in_top(values, values.copy(), places)
        assert (found.agreeing, found.decisions) == (3, 3)


@given(ANY, ANY)
def test_who_agrees_in_the_first_place_agrees_in_five(ours, theirs):
    first, five = (agreement_in_top(ours, theirs, places) for places in (1, 5))
    assert first.agreeing <= five.agreeing <= five.decisions == 3
    assert 0.0 <= five.low <= five.share <= five.high <= 1.0


@pytest.mark.parametrize(("shape", "places"), [((4,), 1), ((4, 1), 1), ((4, 5), 5), ((0, 9), 5)])
def test_too_few_classes_agree_on_nothing(shape, places):
    assert agreement_in_top(np.zeros(shape), np.zeros(shape), places) is None


def test_a_nan_on_one_side_is_no_agreement():
    ours = np.array([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0]])
    theirs = np.array([[3.0, np.nan, 2.0], [3.0, 1.0, 2.0]])
    assert agreement_in_top(ours, theirs, 1).agreeing == 1
    assert agreement_in_top(theirs, ours, 1).agreeing == 1
