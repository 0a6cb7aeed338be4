"""Shares as people write them, and nothing else."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsetool.shares import parse_share
from sparsetool_converters.errors import UsageError


@pytest.mark.parametrize(
    ("written", "share"),
    [
        ("0.5%", 0.005),
        (" .5 % ", 0.005),
        ("100%", 1.0),
        ("0%", 0.0),
        ("0.005", 0.005),
        (0.005, 0.005),
        (1, 1.0),
        (0, 0.0),
    ],
)
def test_a_share_is_read_in_each_way_of_writing_it(written, share):
    assert parse_share(written) == share


@given(st.integers(0, 10_000))
def test_percent_mean_the_share_that_is_nearest(hundredths):
    assert parse_share(f"{hundredths / 100:.2f}%") == hundredths / 10_000


@pytest.mark.parametrize(
    "nonsense", ["", "%", "half", "-1%", "101%", "1.5", "1e-3%", "0.5%%", -0.1, 1.1, math.nan, True, None]
)
def test_nonsense_is_refused_with_what_to_write(nonsense):
    with pytest.raises(UsageError, match=r'is no share; write it as "0\.5%" or 0\.005'):
        parse_share(nonsense)
