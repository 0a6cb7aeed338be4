"""What rounding gives is told from what it does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsetool.verify.rounding import examine_rounding


def quantized(seed, shape=(12, 40), bits=8, channels=True):
    """Real values, stored ones, scales and zero points, as a symmetric quantizer makes them in float32."""
    rng = np.random.default_rng(seed)
    reals = rng.normal(size=shape).astype(np.float32) * rng.uniform(0.01, 5, (shape[0], 1)).astype(np.float32)
    highest = 2 ** (bits - 1) - 1
    axes = (1,) if channels else None
    scale = np.abs(reals).max(axis=axes, keepdims=True) / np.float32(highest)
    stored = np.clip(np.rint(reals / scale), -highest, highest).astype(np.int8 if bits <= 8 else np.int32)
    return reals.astype(np.float64), stored, scale.astype(np.float64), np.zeros(scale.shape, np.int64)


@given(st.integers(0, 10_000), st.sampled_from([4, 8, 16]), st.booleans())
def test_what_was_rounded_is_within_half_a_step(seed, bits, channels):
    found = examine_rounding(*quantized(seed, bits=bits, channels=channels), bits)
    assert (found.astray, found.first) == (0, None)
    assert 0.0 < found.max_steps <= 0.502


@given(st.integers(0, 10_000), st.integers(0, 11), st.integers(0, 39), st.sampled_from([-1, 1]))
def test_one_value_that_is_a_step_off_is_found_at_its_place(seed, row, column, by):
    reals, stored, scale, zero_point = quantized(seed)
    if abs(stored[row, column]) == 127:
        return
    before = stored[row, column]
    stored[row, column] += by
    found = examine_rounding(reals, stored, scale, zero_point, 8)
    if abs(reals[row, column] / scale[row, 0] - stored[row, column]) > 0.502:  # else both are as near
        assert (found.astray, found.first, found.nearest) == (1, (row, column), before)
        assert found.scale_error == 0.0


@given(st.integers(0, 10_000), st.integers(0, 11), st.sampled_from([0.99, 1.01, 1.05, 0.97]))
def test_a_scale_that_is_off_is_named_with_its_channel(seed, channel, factor):
    reals, stored, scale, zero_point = quantized(seed)
    scale[channel] *= factor
    found = examine_rounding(reals, stored, scale, zero_point, 8)
    assert found.scale_channel == channel
    assert found.scale_error == pytest.approx(factor - 1, abs=5e-3)  # half a step of a value of 100


def test_values_beyond_the_range_may_be_clipped():
    reals, stored = np.array([2.0, -2.0, 0.5]), np.array([127, -127, 64], np.int8)
    found = examine_rounding(reals, stored, np.array(1 / 127.5), np.array(0), 8)
    assert found.astray == 0
    wrong = examine_rounding(-reals, stored, np.array(1 / 127.5), np.array(0), 8)
    assert wrong.astray == 3


def test_a_zero_point_moves_all_values():
    reals = np.linspace(0, 1, 256)
    stored = np.arange(256, dtype=np.uint8)
    assert examine_rounding(reals, stored, np.array(1 / 255), np.array(0), 8).astray == 0
    assert examine_rounding(reals - 0.5, stored, np.array(1 / 255), np.array(127), 8).astray == 0
    assert examine_rounding(reals, stored, np.array(1 / 255), np.array(3), 8).astray > 250


def test_a_channel_of_zeros_needs_no_scale():
    scale, zero_point = np.array([[0.0], [1.0]]), np.zeros((2, 1), np.int64)
    reals = np.array([[0.0, 0.0], [1.0, 2.0]])
    assert examine_rounding(reals, reals.astype(np.int8), scale, zero_point, 8).astray == 0


def test_nothing_is_right():
    assert examine_rounding(np.zeros((0, 3)), np.zeros((0, 3), np.int8), np.array(1.0), np.array(0), 8).astray == 0
