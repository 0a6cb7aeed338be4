import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsetool.prune import CallableSchedule, ConstantSparsity, PolynomialDecay, PruningError
from sparsetool.prune.schedules import last_due_step

FLOAT32_ERROR = 2**-23


def test_constant_sparsity_is_due_at_begin_and_at_every_multiple_of_the_frequency_after_it():
    schedule = ConstantSparsity(0.5, begin_step=10, end_step=30, frequency=10)
    assert [step for step in range(50) if schedule.should_prune(step)] == [10, 20, 30]


def test_constant_sparsity_without_an_end_goes_on():
    schedule = ConstantSparsity(0.5, 0)
    assert schedule.should_prune(1_000_000)
    assert not schedule.should_prune(1_000_001)


def test_constant_sparsity_is_the_same_at_every_step():
    schedule = ConstantSparsity(0.5, 10)
    assert {schedule.sparsity(step) for step in (0, 10, 99)} == {0.5}


def test_polynomial_decay_with_power_3_is_cubic():
    schedule = PolynomialDecay(0.5, 0.9, begin_step=100, end_step=300)
    assert schedule.sparsity(200) == pytest.approx(0.9 - 0.4 * 0.5**3)


def test_polynomial_decay_with_power_1_is_a_straight_line():
    schedule = PolynomialDecay(0.0, 0.8, 0, 100, power=1)
    assert schedule.sparsity(25) == pytest.approx(0.2)


def test_polynomial_decay_defaults_are_power_3_and_frequency_100():
    schedule = PolynomialDecay(0.0, 0.8, 0, 100)
    assert (schedule.power, schedule.frequency) == (3, 100)


@given(
    initial=st.floats(0, 0.99),
    final=st.floats(0, 0.99),
    begin=st.integers(0, 1000),
    length=st.integers(1, 1000),
    power=st.floats(0.1, 5),
    step=st.integers(0, 3000),
)
def test_polynomial_decay_stays_between_its_ends_and_reaches_them_exactly(initial, final, begin, length, power, step):
    schedule = PolynomialDecay(initial, final, begin, begin + length, power)
    assert schedule.sparsity(begin + length) == final == schedule.target
    assert schedule.sparsity(begin) == pytest.approx(initial, abs=FLOAT32_ERROR)
    assert min(initial, final) - FLOAT32_ERROR <= schedule.sparsity(step) <= max(initial, final) + FLOAT32_ERROR
    assert 0 <= schedule.sparsity(step) < 1


def test_polynomial_decay_has_the_float32_of_tfmot_to_the_bit():
    schedule = PolynomialDecay(0.5, 0.9, 0, 1000)
    assert schedule.sparsity(0) == 0.4999999701976776  # as PolynomialDecay of TFMOT 0.8.1 gives it in eager mode
    assert schedule.sparsity(700) == 0.88919997215271


def test_last_due_step_is_the_latest_in_the_range_with_both_ends():
    schedule = ConstantSparsity(0.5, 0, 20, frequency=10)
    assert last_due_step(schedule, 0, 99) == 20
    assert last_due_step(schedule, 11, 20) == 20
    assert last_due_step(schedule, 11, 19) is None


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, 1.5, float("nan")])
def test_a_sparsity_outside_its_range_is_refused(sparsity):
    with pytest.raises(PruningError, match="target_sparsity: must be at least 0 and below 1"):
        ConstantSparsity(sparsity, 0)
    with pytest.raises(PruningError, match="final_sparsity: must be at least 0 and below 1"):
        PolynomialDecay(0.0, sparsity, 0, 10)


def test_negative_begin_is_refused():
    with pytest.raises(PruningError, match="begin_step: must be 0 or more; got -1"):
        ConstantSparsity(0.5, -1)


def test_frequency_of_zero_is_refused():
    with pytest.raises(PruningError, match="frequency: must be 1 or more; got 0"):
        PolynomialDecay(0.0, 0.5, 0, 10, frequency=0)


def test_an_end_before_the_begin_is_refused():
    with pytest.raises(PruningError, match="end_step: must not come before begin_step 5; got 4"):
        ConstantSparsity(0.5, 5, 4)


def test_a_decay_that_ends_where_it_begins_is_refused():
    with pytest.raises(PruningError, match="end_step: must be after begin_step"):
        PolynomialDecay(0.0, 0.5, 10, 10)


def test_a_decay_without_an_end_is_refused():
    with pytest.raises(PruningError, match="end_step: must be after begin_step"):
        PolynomialDecay(0.0, 0.5, 0, -1)


def test_a_power_of_zero_is_refused():
    with pytest.raises(PruningError, match="power: must be above 0"):
        PolynomialDecay(0.0, 0.5, 0, 10, power=0)


def straight(step):
    return step / 1000


def test_a_callable_gives_the_sparsity_of_each_step_and_that_of_its_last_is_the_target():
    schedule = CallableSchedule(straight, begin_step=100, end_step=500, frequency=200)
    assert [step for step in range(600) if schedule.should_prune(step)] == [100, 300, 500]
    assert [schedule.sparsity(step) for step in (0, 100, 300, 500, 900)] == [0.1, 0.1, 0.3, 0.5, 0.5]
    assert schedule.target == 0.5


def test_a_callable_that_answers_as_tfmot_does_says_itself_when_to_prune():
    schedule = CallableSchedule(lambda step: (step % 7 == 3, 0.25), begin_step=5, end_step=20)
    assert [step for step in range(40) if schedule.should_prune(step)] == [10, 17]
    assert schedule.sparsity(10) == schedule.target == 0.25


def test_a_callable_may_answer_with_numpy_scalars_and_arrays():
    schedule = CallableSchedule(lambda step: (np.array(step == 4), np.float32(0.5)), end_step=9)
    assert [step for step in range(12) if schedule.should_prune(step)] == [4]
    assert CallableSchedule(lambda step: np.array(0.5), end_step=9).sparsity(3) == 0.5


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda step: 1.0, r"<lambda>: must give a sparsity of at least 0 and below 1; got 1.0 at step 7"),
        (lambda step: float("nan"), r"got nan at step 7"),
        (lambda step: None, r"<lambda>: failed at step 7: TypeError: .*must take a step and return a sparsity"),
        (lambda step: 1 / 0, r"failed at step 7: ZeroDivisionError: division by zero"),
        (lambda: 0.5, r"failed at step 7: TypeError: "),
        (lambda step: (True, 0.5, 1), r"failed at step 7: TypeError: "),
    ],
)
def test_an_answer_that_is_no_sparsity_is_refused_with_its_step(answer, problem):
    with pytest.raises(PruningError, match=problem) as caught:
        CallableSchedule(answer, end_step=100).sparsity(7)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_not_callable_is_refused():
    with pytest.raises(PruningError, match=r"function: must be callable with a step; got 0\.5"):
        CallableSchedule(0.5)


def test_a_callable_without_an_end_is_refused():
    with pytest.raises(PruningError, match=r"end_step: must be there, .* take \"100%\""):
        CallableSchedule(straight, end_step=-1)


def test_a_callable_is_written_by_its_name():
    text = "CallableSchedule(function=straight, begin_step=0, end_step='100%', frequency=100)"
    assert str(CallableSchedule(straight)) == text
