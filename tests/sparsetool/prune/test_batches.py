"""Data in an order that a process killed and begun again finds once more."""

import numpy as np
import pytest

from sparsetool import prune
from sparsetool.prune.batches import shuffled

pytestmark = pytest.mark.keras

SAMPLES, BATCH = 203, 20
PER_EPOCH = 11


@pytest.fixture
def data():
    return np.arange(SAMPLES), np.arange(SAMPLES) % 4


@pytest.fixture
def batches(data):
    return prune.ShuffledBatches(data, batch_size=BATCH, seed=3)


def drawn(batches, steps):
    return np.concatenate([batches.batch(step)[0] for step in steps])


def test_the_order_is_that_of_the_documentation():
    batches = prune.ShuffledBatches((np.arange(5),), batch_size=2)
    assert [batches.batch(step)[0].tolist() for step in range(6)] == [[3, 2], [1, 0], [4], [4, 1], [2, 0], [3]]


def test_each_epoch_has_every_sample_once_in_an_order_of_its_own(batches):
    first, second = (drawn(batches, range(start, start + PER_EPOCH)) for start in (0, PER_EPOCH))
    assert sorted(first) == sorted(second) == list(range(SAMPLES))
    assert not np.array_equal(first, second)


def test_a_batch_depends_on_seed_and_step_only(data, batches):
    forwards = [batches.batch(step)[0] for step in range(40)]
    np.random.default_rng().random(3)
    other = prune.ShuffledBatches(data, batch_size=BATCH, seed=3)
    for step in (39, 0, 11, 10, 38):
        np.testing.assert_array_equal(other.batch(step)[0], forwards[step])
    assert not np.array_equal(prune.ShuffledBatches(data, batch_size=BATCH, seed=4).batch(0)[0], forwards[0])


def test_the_order_of_an_epoch_is_the_same_for_ever():
    assert shuffled(8, 0, 0).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]
    assert shuffled(8, 1, 7).tolist() == [7, 5, 3, 0, 6, 1, 2, 4]


def test_inputs_may_be_nested_and_stay_together(batches):
    x = {"a": np.arange(SAMPLES), "b": [np.arange(SAMPLES) * 2]}
    nested = prune.ShuffledBatches((x, np.arange(SAMPLES)), batch_size=BATCH, seed=3)
    picked, y = nested.batch(17)
    np.testing.assert_array_equal(picked["a"], batches.batch(17)[0])
    np.testing.assert_array_equal(picked["b"][0], 2 * y)


@pytest.mark.parametrize("first_step", [0, 1, 10, 11, 25, 32])
def test_callbacks_see_one_training_with_the_epochs_and_batches_that_are_left(data, first_step):
    import keras

    batches = prune.ShuffledBatches((data[0][:, None].astype(np.float32), data[1]), batch_size=BATCH, seed=3)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(4)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    heard = []

    class Heard(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            heard.append("train begins")

        def on_epoch_begin(self, epoch, logs=None):
            heard.append(epoch)

        def on_train_batch_end(self, batch, logs=None):
            heard.append((batch, self.params["steps"]))

        def on_train_end(self, logs=None):
            heard.append("train ends")

    prune.fit_batches(model, batches, epochs=3, first_step=first_step, callbacks=[Heard()])
    expected = ["train begins"]
    for epoch in range(first_step // PER_EPOCH, 3):
        count = PER_EPOCH - max(0, first_step - epoch * PER_EPOCH)
        expected += [epoch, *((batch, count) for batch in range(count))]
    assert heard == [*expected, "train ends"]


def weights_after(data, first_step, start, *, epochs=2, **optimizer):
    import keras

    x, y = data
    x = np.eye(8, dtype=np.float32)[x % 8] * (1 + x[:, None] / SAMPLES).astype(np.float32)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    model.set_weights(start)
    model.compile(keras.optimizers.SGD(0.1, **optimizer), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    batches = prune.ShuffledBatches((x, y), batch_size=BATCH, seed=3)
    taken = []

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            taken.append([w.copy() for w in self.model.get_weights()])

    prune.fit_batches(model, batches, epochs=epochs, first_step=first_step, callbacks=[Stop()])
    return taken, model.get_weights()


@pytest.mark.parametrize("first_step", [4, 11, 17])
def test_weights_of_each_step_are_those_of_training_that_began_at_the_first(data, first_step):
    start = [np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32), np.zeros(4, np.float32)]
    every, end = weights_after(data, 0, start)
    rest, again = weights_after(data, first_step, every[first_step - 1])
    assert len(rest) == 22 - first_step
    for one, other in zip([*every[first_step:], end], [*rest, again], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_averages_replace_weights_at_the_end_of_training_only(data):
    """A call of fit ends with it, and one that begins within an epoch is two of them."""
    start = [np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32), np.zeros(4, np.float32)]
    plain, _ = weights_after(data, 4, start)
    averaged, end = weights_after(data, 4, start, use_ema=True, ema_momentum=0.5)
    for one, other in zip(plain, averaged, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(end[0], averaged[-1][0])


def test_nothing_is_left_to_do_after_the_last_step(data):
    start = [np.ones((8, 4), np.float32), np.zeros(4, np.float32)]
    taken, end = weights_after(data, 22, start)
    assert taken == []
    np.testing.assert_array_equal(end[0], start[0])


@pytest.mark.parametrize("first_step", [-1, 23])
def test_a_step_outside_of_training_is_refused(data, first_step):
    start = [np.ones((8, 4), np.float32), np.zeros(4, np.float32)]
    with pytest.raises(prune.PruningError, match=rf"first_step: must be in 0\.\.22, .*; got {first_step}"):
        weights_after(data, first_step, start)


@pytest.mark.parametrize(
    ("lengths", "arguments", "problem"),
    [
        ((3, 4), {"batch_size": 1}, r"data: must be arrays of the same number of samples; got \[3, 4\]"),
        ((0, 0), {"batch_size": 1}, r"data: must be arrays of the same number of samples; got \[0\]"),
        ((3, 3), {"batch_size": 0}, "batch_size: must be 1 or more; got 0"),
        ((3, 3), {"batch_size": 1, "seed": -1}, "seed: must be 0 or more; got -1"),
    ],
)
def test_data_that_give_no_batches_are_refused(lengths, arguments, problem):
    with pytest.raises(prune.PruningError, match=problem):
        prune.ShuffledBatches(tuple(np.zeros(length) for length in lengths), **arguments)
