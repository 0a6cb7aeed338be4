import pytest

from sparsetool.prune import (
    CallableSchedule,
    ConstantSparsity,
    PolynomialDecay,
    PruningError,
    check_schedule,
    schedule_in_steps,
)


def test_a_schedule_that_reaches_its_target_passes():
    check_schedule(PolynomialDecay(0.0, 0.5, 0, 20, frequency=10), 21)
    check_schedule(ConstantSparsity(0.5, 20), 21)


def test_one_that_begins_after_the_last_step_never_prunes():
    with pytest.raises(PruningError, match=r"^schedule: never prunes: .* is 19, .* begin earlier$"):
        check_schedule(ConstantSparsity(0.5, 20), 20)


def test_one_that_ends_after_the_last_step_is_refused_with_the_way_out():
    with pytest.raises(
        PruningError,
        match=r"never reaches its target: .* is 19, the last refresh is at step 10 with sparsity 0.1355 of 0.5; "
        r'train for more than 100 steps, or let end_step be 10; end_step = "100%" always fits',
    ):
        check_schedule(PolynomialDecay(0.0, 0.5, 0, 100, frequency=10), 20)


def test_a_plain_end_between_two_refreshes_is_refused_with_its_neighbours():
    with pytest.raises(
        PruningError, match=r"end_step 10 is no multiple of frequency 4 after begin_step 0; 8 and 12 are"
    ):
        check_schedule(PolynomialDecay(0.0, 0.5, 0, 10, frequency=4), 100)


def test_a_target_in_the_middle_of_the_last_group_is_refused():
    schedule = PolynomialDecay(0.0, 0.5, 0, 19, frequency=19)
    check_schedule(schedule, 20)
    with pytest.raises(PruningError, match=r"never reaches its target: .* is 18"):
        check_schedule(schedule, 20, steps_per_epoch=10, steps_per_execution=4)


def test_a_function_that_does_not_prune_at_its_end_is_refused():
    schedule = CallableSchedule(lambda step: (step % 9 == 0, step / 100), end_step=20)
    with pytest.raises(PruningError, match=r"step 18 with sparsity 0.1800 of 0.2; let a refresh be due at end_step 20"):
        check_schedule(schedule, 30)


class OwnSchedule:
    """Knows no epochs."""

    target = 0.5

    def should_prune(self, step):
        return step in (3, 9)

    def sparsity(self, step):
        return 0.5 if step == 9 else 0.1


def test_a_schedule_of_ones_own_is_in_plain_steps_already():
    own = OwnSchedule()
    assert schedule_in_steps(own, steps=10, steps_per_epoch=10) is own
    check_schedule(own, 10)
    with pytest.raises(PruningError, match=r"train longer, or let it reach its target earlier"):
        check_schedule(own, 9)


def test_a_schedule_that_ends_at_sparsity_0_never_prunes():
    with pytest.raises(PruningError, match="schedule: never prunes: it ends at sparsity 0"):
        check_schedule(ConstantSparsity(0.0, 0), 10)
