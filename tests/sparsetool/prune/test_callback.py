import pytest

from sparsetool import prune

pytestmark = pytest.mark.keras


class Recording:
    """A schedule of one's own: due at given steps, and it remembers for which it was asked the sparsity."""

    target = 0.5

    def __init__(self, *due):
        self.due, self.asked = due, []

    def should_prune(self, step):
        return step in self.due

    def sparsity(self, step):
        self.asked.append(step)
        return 0.5


def refreshed(schedule):
    return schedule.asked[1:]  # the first is the look ahead at the start


def test_masks_are_refreshed_at_the_steps_that_are_due_across_epochs(small_model, fit):
    schedule = Recording(0, 3, 9, 10, 14)
    fit(small_model, prune.Pruner(small_model, schedule).callback())
    assert refreshed(schedule) == [0, 3, 9, 10, 14]


def test_a_refresh_inside_a_group_of_steps_waits_for_the_next_group(small_model, fit):
    schedule = Recording(0, 1, 2, 6, 9)  # groups of an epoch begin at 0, 4 and 8; the next epoch at 10
    fit(small_model, prune.Pruner(small_model, schedule).callback(), steps_per_execution=4)
    assert refreshed(schedule) == [0, 2, 6, 9]


def test_a_last_smaller_group_does_not_shift_the_count(small_model, fit):
    schedule = Recording(0, 10, 14)
    fit(small_model, prune.Pruner(small_model, schedule).callback(), steps_per_execution=4)
    assert refreshed(schedule) == [0, 10, 14]


def test_steps_count_on_in_a_second_fit(small_model, fit):
    schedule = Recording(0, 12)
    callback = prune.Pruner(small_model, schedule).callback()
    fit(small_model, callback, epochs=1)
    asked = len(schedule.asked)
    fit(small_model, callback, epochs=1)
    assert schedule.asked[asked:] == [12]


def test_a_second_fit_after_the_end_of_the_schedule_goes_on(small_model, fit):
    pruner = prune.Pruner(small_model, prune.ConstantSparsity(0.5, 0, 5, frequency=5))
    callback = pruner.callback()
    fit(small_model, callback, epochs=1)
    fit(small_model, callback, epochs=1)
    pruner.check()


def test_a_schedule_that_begins_after_training_is_refused(small_model, fit):
    callback = prune.Pruner(small_model, prune.ConstantSparsity(0.5, 20)).callback()
    with pytest.raises(prune.PruningError, match=r"schedule: never prunes: .* is 19"):
        fit(small_model, callback)


def test_a_schedule_that_ends_after_training_is_refused(small_model, fit):
    callback = prune.Pruner(small_model, prune.PolynomialDecay(0.0, 0.5, 0, 100, frequency=10)).callback()
    with pytest.raises(
        prune.PruningError, match=r"never reaches its target: .* at step 10 with sparsity 0.1355 of 0.5"
    ):
        fit(small_model, callback)


def test_a_frequency_that_steps_over_the_end_is_refused(small_model, fit):
    callback = prune.Pruner(small_model, prune.PolynomialDecay(0.0, 0.5, 0, 10, frequency=4)).callback()
    with pytest.raises(prune.PruningError, match=r"never reaches its target: .* at step 8"):
        fit(small_model, callback)


def test_a_last_refresh_in_the_middle_of_the_last_group_is_refused(small_model, fit):
    callback = prune.Pruner(small_model, prune.PolynomialDecay(0.0, 0.5, 0, 19, frequency=19)).callback()
    with pytest.raises(prune.PruningError, match=r"never reaches its target: .* is 18"):
        fit(small_model, callback, steps_per_execution=4)
