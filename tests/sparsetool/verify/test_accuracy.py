import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsetool.verify import classification_accuracy
from sparsetool.verify.accuracy import wilson_interval
from sparsetool_converters.errors import UsageError


def test_the_largest_score_counts():
    scores = np.array([[[1, 3]], [[3, 1]], [[0, 9]], [[5, 4]]], np.int8)  # [n, 1, classes], as a run gives them
    accuracy = classification_accuracy(scores, np.array([1, 0, 1, 1]))
    assert (accuracy.correct, accuracy.n_samples, accuracy.share) == (3, 4, 0.75)


def test_a_sample_with_nan_is_wrong():
    scores = np.array([[np.nan, 1.0], [1.0, 0.0]])
    assert classification_accuracy(scores, np.array([0, 0])).correct == 1


def test_wilson_interval_of_a_known_case():
    low, high = wilson_interval(9900, 10000)
    assert (round(low, 4), round(high, 4)) == (0.9879, 0.9918)


@given(trials=st.integers(1, 10_000), data=st.data())
def test_the_interval_holds_the_share_and_stays_in_bounds(trials, data):
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    assert 0.0 <= low <= successes / trials <= high <= 1.0
    assert low < high


@pytest.mark.parametrize(
    ("shape", "labels", "rule"),
    [
        ((3,), [0, 1, 1], r"scores of shape \[n, classes\]; got \[3\]"),
        ((0, 2), [], "scores of shape"),
        ((3, 2, 2), [0, 1, 1], "scores of shape"),
        ((3, 2), [0, 1], "one integer label for each of the 3"),
        ((3, 2), [0.0, 1.0, 1.0], "got float64"),
        ((3, 2), [0, 1, 2], r"0 \.\. 1, the classes; got 0 \.\. 2"),
    ],
)
def test_what_does_not_fit_is_refused(shape, labels, rule):
    with pytest.raises(UsageError, match=rule):
        classification_accuracy(np.zeros(shape), np.array(labels))
