from fractions import Fraction

import pytest

from sparsetool.spans import RelativeSpan, parse_span
from sparsetool_converters.errors import UsageError


def test_a_whole_number_is_steps():
    assert parse_span(500) == 500


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("2 epochs", 2, "epoch"),
        ("1 epoch", 1, "epoch"),
        ("0.5epochs", Fraction(1, 2), "epoch"),
        (" 25% ", Fraction(1, 4), "run"),
        ("12.5 %", Fraction(1, 8), "run"),
        ("100%", 1, "run"),
    ],
)
def test_epochs_and_shares_are_exact(text, amount, unit):
    assert parse_span(text) == RelativeSpan(text, Fraction(amount), unit)


@pytest.mark.parametrize(
    ("text", "unit_steps", "steps"),
    [("0.5 epochs", 430, 215), ("0.1 epochs", 430, 43), ("25%", 10, 2), ("35%", 10, 4), ("33%", 1000, 330)],
)
def test_steps_are_rounded_to_nearest_and_a_half_to_even(text, unit_steps, steps):
    assert parse_span(text).in_steps(unit_steps) == steps


@pytest.mark.parametrize("value", [1.5, True, None, "", "25", "2 steps", "-1 epochs", "-5%", "half", "1e3 epochs", "%"])
def test_what_is_no_length_is_refused_with_what_is(value):
    with pytest.raises(UsageError, match=r'is no length of training; write 500 for steps, "2 epochs", or "25%"'):
        parse_span(value)


def test_more_than_the_whole_run_is_refused():
    with pytest.raises(UsageError, match="'101%' is more than the whole run"):
        parse_span("101%")
