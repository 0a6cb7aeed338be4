"""When a difference is called one: noise of every kind must not be, a real difference must."""

import itertools
import math

import numpy as np
import pytest

from sparsetool.bench.noise import decide, spread

ROUNDS, PAIRS = 16, 24


def log_ratios(rng: np.random.Generator, *, rounds: int = ROUNDS, difference: float = 0.0) -> np.ndarray:
    """One log-ratio for each round of two models that differ by a factor, on a bad machine.

    A process is faster or slower by 3 % for life; the machine drifts and is busy for some rounds; one measurement in
    eight is up to five times too long; whoever is second in a round is 5 % slower.
    """
    processes = rng.normal(0, 0.03, (rounds, 1, 2))
    drift = np.cumsum(rng.normal(0, 0.02, (rounds, PAIRS, 1)), axis=1)
    busy = np.repeat(rng.random((rounds // 4 + 1, 1, 1)) < 0.5, 4, axis=0)[:rounds] * rng.exponential(
        0.3, (rounds, PAIRS, 2)
    )
    outliers = (rng.random((rounds, PAIRS, 2)) < 1 / 8) * rng.uniform(0, math.log(5), (rounds, PAIRS, 2))
    times = processes + drift + busy + outliers + rng.normal(0, 0.02, (rounds, PAIRS, 2))
    times[::2, :, 1] += 0.05
    times[1::2, :, 0] += 0.05
    times[..., 1] += math.log1p(difference)
    return np.median(times[..., 1] - times[..., 0], axis=1)


def verdicts(count: int, **how: float) -> list[str]:
    rng = np.random.default_rng(5)
    return [decide(log_ratios(rng, **how)).verdict for _ in range(count)]


@pytest.mark.parametrize("rounds", [10, 12, 16])
def test_equal_models_on_a_bad_machine_differ_in_one_of_four_hundred_decisions_at_most(rounds):
    assert 2000 - verdicts(2000, rounds=rounds).count("no difference") <= 5


def test_a_difference_of_a_fifth_is_found_in_19_of_20_comparisons_on_a_bad_machine():
    assert verdicts(200, difference=0.2).count("larger") >= 190
    assert verdicts(200, difference=-0.2).count("smaller") >= 190


def test_rounds_that_hang_together_make_no_difference():
    """Noise of one process pair that lasts for several, as an order of two in a row undoes."""
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(500):
        order = np.resize([1.0, -1.0], ROUNDS)
        lasting = np.repeat(rng.normal(0, 0.2, ROUNDS // 4), 4) * order  # favours the first, whichever that is
        wrong += decide(lasting + rng.normal(0, 0.02, ROUNDS)).verdict != "no difference"
    assert wrong <= 5


@pytest.mark.parametrize("rounds", [10, 11, 13])
def test_the_interval_leaves_out_what_the_signed_rank_test_rejects_at_a_quarter_of_one_percent(rounds):
    rng = np.random.default_rng(rounds)
    ranks = np.arange(1, rounds + 1)
    sums = np.array([np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=rounds)])
    for shift in np.linspace(0, 2.5, 60):
        values = rng.normal(shift, 1, rounds)
        by_size = values[np.argsort(np.abs(values))]
        observed = float(np.dot(by_size > 0, ranks))
        rejected = 2 * min(np.mean(sums <= observed), np.mean(sums >= observed)) <= 0.0025
        ratio = decide(values)
        assert (ratio.low > 1 or ratio.high < 1) == rejected


def test_with_ten_rounds_the_interval_holds_all_of_them():
    values = [math.log(ratio) for ratio in (0.9, 0.95, 1.0, 1.1, 1.2, 1.2, 1.2, 1.3, 1.4, 1.5)]
    ratio = decide(values)
    assert (ratio.low, ratio.high) == pytest.approx((0.9, 1.5))


def test_fewer_rounds_are_refused():
    with pytest.raises(ValueError, match=r"9 rounds are too few to decide anything at 0\.25%"):
        decide([0.5] * 9)


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [(1.009, "no difference"), (1.011, "larger"), (0.989, "smaller"), (0.992, "no difference"), (1.0, "no difference")],
)
def test_a_certain_difference_counts_from_one_percent_on(ratio, verdict):
    assert decide([math.log(ratio)] * 10).verdict == verdict


def test_models_in_the_other_order_give_the_inverse():
    values = np.random.default_rng(0).normal(0.1, 0.2, 12)
    there, back = decide(values), decide(-values)
    assert (back.ratio, back.low, back.high) == pytest.approx((1 / there.ratio, 1 / there.high, 1 / there.low))


def test_a_spread_is_the_median_and_the_quartiles():
    found = spread([5.0, 1.0, 2.0, 4.0, 3.0])
    assert (found.median, found.low, found.high, found.count) == (3.0, 2.0, 4.0, 5)
