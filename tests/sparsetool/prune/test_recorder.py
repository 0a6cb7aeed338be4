"""What a recorder remembers of a pruner, held against the model itself."""

import numpy as np
import pytest

from sparsetool import prune
from sparsetool.prune.recorder import _Thinned
from sparsetool.report.pruning_record import record_files

pytestmark = pytest.mark.keras

STEPS, EPOCH = 20, 10


@pytest.fixture
def recorded(small_model, fit):
    """A model pruned in 20 steps under the eyes of a recorder, and the weights of before."""
    before = {layer.name: layer.kernel.numpy() for layer in small_model.layers if layer.weights}
    pruner = prune.Pruner(small_model, prune.PolynomialDecay(0.0, 0.75, 2, "100%", frequency=3))
    pruner.plan(steps=STEPS, steps_per_epoch=EPOCH)
    recorder = prune.PruningRecorder(pruner, steps=STEPS, steps_per_epoch=EPOCH)
    fit(small_model, pruner.callback())
    return small_model, pruner, recorder, before


def test_every_refresh_is_there_with_its_zeros(recorded, zeros):
    model, pruner, recorder, _ = recorded
    numbers = recorder.record().numbers
    assert [refresh.step for refresh in numbers.refreshes] == [2, 5, 8, 11, 14, 17]
    assert [refresh.asked for refresh in numbers.refreshes] == [pruner.schedule.sparsity(s) for s in range(2, 18, 3)]
    assert numbers.refreshes[-1].zeros == tuple(zeros(model).values())
    assert numbers.refreshes[-1].zeros == tuple(variable.target_zeros for variable in numbers.variables)


def test_variables_have_their_shape_on_the_tflite_layout(recorded):
    numbers = recorded[2].record().numbers
    assert [(v.variable, v.shape, v.weights) for v in numbers.variables] == [
        ("small/conv/kernel", (4, 3, 3, 1), 36),
        ("small/hidden/kernel", (16, 144), 2304),
        ("small/logits/kernel", (4, 16), 64),
    ]


def test_corners_are_outputs_by_inputs_of_the_weights_before(recorded):
    before, corners = recorded[3], recorded[2].record().corners
    np.testing.assert_array_equal(corners[1].weights, before["hidden"].T)
    np.testing.assert_array_equal(corners[0].weights, np.moveaxis(before["conv"], -1, 0).reshape(4, 9))


def test_masks_over_time_end_with_the_zeros_of_the_model(recorded):
    model, _, recorder, _ = recorded
    corner = recorder.record().corners[1]
    assert corner.masks.shape == (6, 16, 144)
    np.testing.assert_array_equal(corner.masks[-1], model.get_layer("hidden").kernel.numpy().T != 0)
    assert [int((~mask).sum()) for mask in corner.masks] == [r.zeros[1] for r in recorder.record().numbers.refreshes]


def test_examples_are_the_masks_of_the_weights_before_pruned_at_once(recorded):
    weights, corners = recorded[3], recorded[2].record().corners
    for name, structure in (("1x1", prune.Block((1, 1))), ("1x2", prune.Block((1, 2)))):
        expected = prune.keep_mask(np.abs(weights["hidden"].T), 0.75, structure)
        np.testing.assert_array_equal(corners[1].examples[name], expected)


def test_an_example_that_the_shape_does_not_allow_is_left_out(recorded):
    assert list(recorded[2].record().corners[0].examples) == ["1x1"]  # a convolution of one input


def test_of_a_large_tensor_a_corner_is_kept():
    import keras

    model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(270, name="wide")])
    pruner = prune.Pruner(model, prune.ConstantSparsity(0.5, 0, 0))
    recorder = prune.PruningRecorder(pruner, steps=1, steps_per_epoch=1)
    pruner.update(0)
    record = recorder.record()
    assert record.numbers.variables[0].shape == (270, 300)
    assert record.corners[0].weights.shape == (256, 256)
    np.testing.assert_array_equal(record.corners[0].masks[0], pruner.masks[0].numpy().T[:256, :256])


def test_the_same_run_gives_the_same_bytes(build, samples):
    def files():
        model = build()
        pruner = prune.Pruner(model, prune.PolynomialDecay(0.0, 0.5, 0, 4, frequency=2))
        recorder = prune.PruningRecorder(pruner, steps=10, steps_per_epoch=10)
        settings = prune.TrainingSettings(epochs=1, batch_size=20)
        callbacks = [pruner.callback()]
        prune.train(
            model, samples, settings, callbacks=callbacks, on_progress=lambda done, _, m: recorder.metrics(done, m)
        )
        return record_files(recorder.record())

    assert files() == files()


def test_of_very_many_refreshes_every_second_and_fourth_is_kept_and_the_last(small_model):
    pruner = prune.Pruner(small_model, prune.PolynomialDecay(0.0, 0.5, 0, 9000, frequency=1))
    recorder = prune.PruningRecorder(pruner, steps=9001, steps_per_epoch=9001)
    for step in range(0, 9001, 2):
        recorder._on_refresh(step, pruner)
    numbers = recorder.record().numbers
    steps = [refresh.step for refresh in numbers.refreshes]
    assert 1024 <= len(steps) <= 2049
    assert (steps[0], steps[-1]) == (0, 9000)
    assert set(np.diff(steps[:-1])) == {8}
    assert 32 <= len(numbers.mask_steps) <= 65
    assert numbers.mask_steps[-1] == 9000


def test_a_loss_that_is_not_finite_is_none(small_model):
    pruner = prune.Pruner(small_model, prune.ConstantSparsity(0.5, 0))
    recorder = prune.PruningRecorder(pruner, steps=2, steps_per_epoch=2)
    recorder.metrics(1, {"loss": float("nan"), "accuracy": 0.5})
    (point,) = recorder.record().numbers.metrics
    assert (point.step, point.values) == (1, {"loss": None, "accuracy": 0.5})


def test_a_schedule_that_is_not_in_steps_is_refused(small_model):
    pruner = prune.Pruner(small_model, prune.CallableSchedule(lambda step: 0.5))
    with pytest.raises(prune.PruningError, match="means no step before the length of training is known"):
        prune.PruningRecorder(pruner, steps=2, steps_per_epoch=2)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 9, 10, 16, 17, 1000])
@pytest.mark.parametrize("later", [0, 1, 7])
def test_a_thinned_series_goes_on_as_if_it_had_not_been_put_away(count, later):
    whole, first, second = (_Thinned(4) for _ in range(3))
    for item in range(count):
        whole.add(item)
        first.add(item)
    second.restore(first.state(int), int)
    for item in range(count, count + later):
        whole.add(item)
        second.add(item)
    assert second.items() == whole.items()
    assert second.state(int) == whole.state(int)


def test_training_that_began_without_a_recorder_is_not_recorded_from_its_middle(build, samples, tmp_path):
    settings = prune.TrainingSettings(epochs=1, batch_size=20, save_every_steps=4)
    state = tmp_path / "state"

    def made():
        model = build()
        return model, prune.Pruner(model, prune.ConstantSparsity(0.5, 0))

    model, pruner = made()
    prune.train(model, samples, settings, pruner=pruner, state=state)
    model, pruner = made()
    recorder = prune.PruningRecorder(pruner, steps=10, steps_per_epoch=10)
    with pytest.raises(prune.PruningError, match="state: was saved without a recorder") as refusal:
        prune.train(model, samples, settings, pruner=pruner, state=state, recorder=recorder)
    assert "\n" not in str(refusal.value)
    assert recorder.record().numbers.metrics == ()


def test_a_recorder_that_takes_over_tells_what_the_first_has_seen(recorded):
    _, pruner, recorder, _ = recorded
    recorder.metrics(20, {"loss": 0.1 + 0.2})
    other = prune.PruningRecorder(pruner, steps=STEPS, steps_per_epoch=EPOCH)
    other.restore(recorder.state())
    assert other.record().numbers == recorder.record().numbers
    for one, two in zip(other.record().corners, recorder.record().corners, strict=True):
        np.testing.assert_array_equal(one.masks, two.masks)
    first, again = recorder.state(), other.state()
    assert {name: array.tobytes() for name, array in first.items()} == {n: a.tobytes() for n, a in again.items()}
