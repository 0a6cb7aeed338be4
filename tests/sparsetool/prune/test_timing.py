"""What epochs and shares of a run come to in steps."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sparsetool.prune import CallableSchedule, ConstantSparsity, PolynomialDecay, PruningError, check_schedule
from sparsetool.prune.timing import last_refresh_step


def ramp(begin_step, end_step, frequency=100):
    return PolynomialDecay(0.0, 0.9, begin_step, end_step, frequency=frequency)


def resolved(schedule, **length):
    """In plain steps, or why not."""
    try:
        return schedule.in_steps(**length)
    except PruningError as problem:
        return problem


def steps_of(schedule, *, steps=940, steps_per_epoch=235, **length):
    return schedule.in_steps(steps=steps, steps_per_epoch=steps_per_epoch, **length).plain_steps()


@pytest.mark.parametrize(
    ("schedule", "plain"),
    [
        (ramp("1 epoch", "75%"), (235, 635, 100)),
        (ramp("10%", 900), (0, 900, 100)),
        (ramp("10%", 950), (50, 950, 100)),
        (ramp(0, "100%"), (0, 900, 100)),
        (ramp(0, "2 epochs", 10), (0, 470, 10)),
        (ramp(0, "2 epochs", "0.5 epochs"), (0, 354, 118)),
        (ramp(0, 900, "0%"), (0, 900, 1)),
        (ramp(30, 50, 7), (30, 50, 7)),
        (ConstantSparsity(0.5, "25%"), (235, -1, 100)),
        (ConstantSparsity(0.5, "25%", "25%"), (235, 235, 100)),
        (CallableSchedule(float, "0.5 epochs"), (118, 918, 100)),
    ],
)
def test_a_relative_schedule_in_steps_is_due_at_its_end(schedule, plain):
    assert steps_of(schedule) == plain


def test_a_schedule_in_plain_steps_is_left_as_it_is():
    schedule = ramp(3, 50, 7)
    assert schedule.in_steps(steps=None, steps_per_epoch=None) == schedule


def test_the_last_refresh_is_at_the_last_group_of_batches():
    assert [last_refresh_step(20, 10, size) for size in (1, 3, 4, 7, 10, 99)] == [19, 19, 18, 17, 10, 10]
    assert last_refresh_step(20) == 19
    assert steps_of(ramp(0, "100%", 1), steps=20, steps_per_epoch=10, steps_per_execution=4) == (0, 18, 1)


spans = st.one_of(
    st.integers(0, 300),
    st.decimals(0, 100, places=1).map(lambda share: f"{share}%"),
    st.decimals(0, 4, places=2).map(lambda epochs: f"{epochs} epochs"),
)


@given(
    begin=spans,
    end=st.decimals(0, 100, places=1).map(lambda share: f"{share}%"),
    frequency=st.integers(1, 50),
    epochs=st.integers(1, 4),
    steps_per_epoch=st.integers(1, 100),
    group=st.integers(1, 9),
)
def test_a_relative_end_is_always_reached(begin, end, frequency, epochs, steps_per_epoch, group):
    length = {"steps_per_epoch": steps_per_epoch, "steps_per_execution": group}
    steps = epochs * steps_per_epoch
    schedule = resolved(ramp(begin, end, frequency), steps=steps, **length)
    if isinstance(schedule, PruningError):
        assert schedule.subject == "end_step"  # no room between begin and end
    else:
        assert schedule.should_prune(schedule.end_step)
        check_schedule(schedule, steps, **length)


@given(begin=spans, end=st.integers(1, 300), frequency=st.integers(1, 50))
def test_a_relative_begin_leads_to_a_plain_end(begin, end, frequency):
    assume(isinstance(begin, str))
    schedule = resolved(ramp(begin, end, frequency), steps=400, steps_per_epoch=100)
    if isinstance(schedule, PruningError):
        assert schedule.subject == "end_step"
    else:
        assert schedule.end_step == end
        assert schedule.should_prune(end)


@pytest.mark.parametrize("ask", [lambda s: s.sparsity(0), lambda s: s.should_prune(0)])
@pytest.mark.parametrize(
    "schedule",
    [
        ramp("10%", 900),
        ramp(0, "1 epoch"),
        ConstantSparsity(0.5, 0, frequency="1 epoch"),
        CallableSchedule(float, end_step="50%"),
    ],
)
def test_asking_before_the_length_is_known_is_an_error(schedule, ask):
    with pytest.raises(PruningError, match=r"means no step before the length of training is known; call in_steps"):
        ask(schedule)


def test_a_callable_has_no_target_before_the_length_is_known():
    with pytest.raises(PruningError, match="'100%' means no step"):
        _ = CallableSchedule(float).target


def test_a_share_of_a_run_of_unknown_length_is_refused():
    with pytest.raises(PruningError, match=r"begin_step: '10%' means no step, since the data does not tell"):
        ramp("10%", 900).in_steps(steps=None, steps_per_epoch=None)
    assert ramp("2 epochs", 900).in_steps(steps=None, steps_per_epoch=50).begin_step == 100


def test_an_end_before_the_begin_is_refused_with_what_was_written():
    with pytest.raises(PruningError, match=r"end_step: must not come before begin_step '50%', step 470; got '1 epoch'"):
        steps_of(ramp("50%", "1 epoch"))


def test_a_ramp_without_room_for_a_refresh_is_refused_with_its_steps():
    with pytest.raises(
        PruningError, match=r"end_step: must be after begin_step; .* 0, '5%' and 100 are 0, 0 and 100 steps"
    ):
        steps_of(ramp(0, "5%"))


@pytest.mark.parametrize(
    ("timing", "subject"), [(("1.5", 10), "begin_step"), ((0, "soon"), "end_step"), ((0, 10, "often"), "frequency")]
)
def test_what_is_no_length_is_refused_by_its_name(timing, subject):
    with pytest.raises(PruningError, match=f"^{subject}: .* is no length of training"):
        ramp(*timing)


def test_a_function_that_says_when_to_prune_keeps_its_last_step():
    schedule = CallableSchedule(lambda step: (step % 7 == 0, 0.5)).in_steps(steps=50, steps_per_epoch=None)
    assert schedule.end_step == 49
    assert [step for step in range(60) if schedule.should_prune(step)] == [0, 7, 14, 21, 28, 35, 42, 49]
