import numpy as np
import pytest

pytestmark = pytest.mark.keras


@pytest.fixture
def constraint():
    import keras

    from sparsetool.prune.constraint import MaskConstraint

    mask = keras.Variable(np.array([True, False, False, True]), dtype="bool", trainable=False)
    return lambda inner=None: MaskConstraint(mask, inner)


def test_pruned_weights_become_zero_and_others_stay(constraint):
    np.testing.assert_array_equal(constraint()(np.array([1.0, 2, 3, -4], np.float32)), [1, 0, 0, -4])


def test_a_negative_pruned_weight_leaves_no_negative_zero(constraint):
    assert not np.signbit(constraint()(np.full(4, -1.0, np.float32))[1:3]).any()


def test_pruned_weights_that_are_not_finite_become_zero(constraint):
    np.testing.assert_array_equal(constraint()(np.array([1, np.nan, np.inf, 4], np.float32)), [1, 0, 0, 4])


def test_the_constraint_that_was_there_runs_first(constraint):
    import keras

    constrained = constraint(keras.constraints.NonNeg())(np.array([1.0, 2, -3, -4], np.float32))
    np.testing.assert_array_equal(constrained, [1, 0, 0, 0])
