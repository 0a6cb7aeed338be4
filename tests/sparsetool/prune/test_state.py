"""Training that is broken off and goes on from a file ends with the same bits."""

import json

import numpy as np
import pytest

from sparsetool import prune
from sparsetool_converters.errors import ModelFormatError, OutputError

pytestmark = pytest.mark.keras

OPTIMIZERS = (
    "SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Adafactor", "Nadam", "Ftrl", "Lion", "Lamb",
    "Muon", "ScheduleFreeAdamW",
)  # fmt: skip


class KilledError(Exception):
    pass


def network(seed=7, *, units=8, dtype=None):
    """One of each that has a state of its own: weights, moving statistics, random numbers."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, dtype=dtype),
            layers.BatchNormalization(dtype=dtype),
            layers.Flatten(dtype=dtype),
            layers.Dropout(0.3, seed=5, dtype=dtype),
            layers.Dense(units, activation="relu", dtype=dtype),
            layers.Dense(4, dtype="float32"),
        ]
    )


def compiled(model, optimizer):
    import keras

    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def pruner_of(model):
    return prune.Pruner(model, prune.PolynomialDecay(0.2, 0.7, 2, 14, frequency=3))


def everything(model):
    variables = {id(v): v for v in (*model.variables, *model.optimizer.variables)}.values()
    return [(v.path.split("/")[-1], v.numpy()) for v in variables]


def assert_same(one, other):
    assert len(one) == len(other)
    for (name, a), (_, b) in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name, strict=True)


def broken_off(samples, make_optimizer, path, kills, *, every_steps=4, dtype=None):
    """Two epochs of 10 steps, in a new model after each kill."""
    import keras

    kills = list(kills)
    batches = prune.ShuffledBatches(samples, batch_size=20, seed=1)
    prune.make_deterministic(1)

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if kills and int(pruner.steps_done) >= kills[0]:
                kills.pop(0)
                raise KilledError

    while True:
        model = compiled(network(dtype=dtype), make_optimizer())
        pruner = pruner_of(model)
        done = prune.load_training_state(path, model, pruner) if path.exists() else 0
        pruner.plan(steps=20, steps_per_epoch=10)
        saving = prune.TrainingStateCallback(path, pruner, every_steps=every_steps, steps_done=done)
        try:
            prune.fit_batches(model, batches, epochs=2, first_step=done, callbacks=[pruner.callback(), saving, Kill()])
        except KilledError:
            continue
        pruner.check()
        return everything(model)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_on_with_the_same_bits(samples, tmp_path, name):
    import keras

    make = getattr(keras.optimizers, name)
    whole = broken_off(samples, make, tmp_path / "whole", [])
    assert_same(broken_off(samples, make, tmp_path / "broken", [6, 17]), whole)


def test_no_optimizer_of_keras_is_forgotten_here():
    import keras

    classes = {name for name, kind in vars(keras.optimizers).items() if isinstance(kind, type)}
    no_rules_of_their_own = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}
    assert classes - no_rules_of_their_own == set(OPTIMIZERS)


@pytest.mark.parametrize(
    "options",
    [
        {"use_ema": True, "ema_momentum": 0.8},
        {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
        {"gradient_accumulation_steps": 3},
        {"clipnorm": 0.1, "weight_decay": 1e-3},
    ],
    ids=["average", "average taken over", "accumulation", "clipping"],
)
def test_what_an_optimizer_keeps_beside_its_slots_is_kept(samples, tmp_path, options):
    import keras

    def make():
        return keras.optimizers.Adam(3e-3, **options)

    whole = broken_off(samples, make, tmp_path / "whole", [])
    assert_same(broken_off(samples, make, tmp_path / "broken", [5, 9, 13]), whole)


def test_the_scale_of_the_loss_is_kept(samples, tmp_path):
    import keras

    def make():
        return keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(), initial_scale=2.0**30, dynamic_growth_steps=3
        )

    whole = broken_off(samples, make, tmp_path / "whole", [], dtype="mixed_float16")
    assert any(name == "dynamic_scale" and value != 2.0**30 for name, value in whole)
    assert_same(broken_off(samples, make, tmp_path / "broken", [6, 17], dtype="mixed_float16"), whole)


def test_ten_kills_in_one_run_leave_no_trace(samples, tmp_path):
    whole = broken_off(samples, lambda: "adam", tmp_path / "whole", [], every_steps=2)
    kills = [1, 2, 3, 5, 8, 10, 11, 14, 19, 20]
    assert_same(broken_off(samples, lambda: "adam", tmp_path / "broken", kills, every_steps=2), whole)


def test_a_loop_of_train_on_batch_goes_on_with_the_same_bits(samples, tmp_path):
    batches = prune.ShuffledBatches(samples, batch_size=20, seed=1)
    prune.make_deterministic(1)

    def steps(first, last, path):
        model = compiled(network(), "adam")
        pruner = pruner_of(model)
        if first:
            assert prune.load_training_state(path, model, pruner) == first
        for step in range(first, last):
            pruner.step()
            model.train_on_batch(*batches.batch(step))
        prune.save_training_state(path, model, pruner)
        return everything(model)

    whole = steps(0, 20, tmp_path / "whole")
    steps(0, 7, tmp_path / "state")
    assert_same(steps(7, 20, tmp_path / "state"), whole)
    assert (tmp_path / "state").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_loop_with_an_optimizer_of_its_own_is_kept(tmp_path):
    import keras

    model, other = network(), network(8)
    mine, yours = keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2)
    mine.build(model.trainable_variables)
    mine.apply([keras.ops.ones_like(v) for v in model.trainable_variables])
    prune.save_training_state(tmp_path / "state", model, steps_done=1, optimizer=mine)
    assert prune.load_training_state(tmp_path / "state", other, optimizer=yours) == 1
    for one, two in zip((*model.variables, *mine.variables), (*other.variables, *yours.variables), strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


@pytest.fixture
def trained(samples):
    """A model that was pruned for ten steps, and its pruner."""
    model = compiled(network(), "adam")
    pruner = pruner_of(model)
    pruner.plan(steps=20, steps_per_epoch=10)
    batches = prune.ShuffledBatches(samples, batch_size=20)
    prune.fit_batches(model, batches, epochs=1, callbacks=[pruner.callback()])
    return model, pruner


def test_pruned_weights_and_what_is_kept_of_them_are_positive_zeros_in_the_file(trained, tmp_path):
    model, pruner = trained
    variable, mask = pruner.selection.pruned[0].variable, pruner.masks[0].numpy()
    variable.assign(np.where(mask, variable.numpy(), -0.0))
    prune.save_training_state(tmp_path / "state", model, pruner)
    with np.load(tmp_path / "state") as arrays:
        alike = [arrays[name] for name in arrays.files if arrays[name].shape == mask.shape]
    weights, *slots, saved_mask = alike
    assert len(slots) == 2
    np.testing.assert_array_equal(saved_mask, mask)
    for values in (weights, *slots):
        assert values[mask].any()
        assert values[~mask].tobytes() == bytes(values[~mask].nbytes)


def test_the_same_state_gives_the_same_bytes(trained, tmp_path):
    model, pruner = trained
    for name in ("one", "two"):
        prune.save_training_state(tmp_path / name, model, pruner)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_the_number_of_steps_can_be_read_alone(trained, tmp_path):
    model, pruner = trained
    prune.save_training_state(tmp_path / "state", model, pruner)
    assert prune.saved_steps(tmp_path / "state") == 10


def test_a_model_made_later_in_the_process_has_other_numbers_in_its_names_and_is_the_same(trained, tmp_path):
    model, pruner = trained
    prune.save_training_state(tmp_path / "state", model, pruner)
    later = compiled(network(3), "adam")
    assert later.layers[0].name != model.layers[0].name
    again = pruner_of(later)
    assert prune.load_training_state(tmp_path / "state", later, again) == again.steps_done == 10
    assert_same(everything(later), everything(model))


def refused(path, model, pruner, problem):
    """The load is refused, and nothing has changed."""
    before = everything(model), [] if pruner is None else [mask.numpy() for mask in pruner.masks]
    with pytest.raises(prune.PruningError, match=problem) as refusal:
        prune.load_training_state(path, model, pruner)
    assert "\n" not in str(refusal.value)
    assert_same(everything(model)[: len(before[0])], before[0])
    assert all(np.array_equal(m.numpy(), old) for m, old in zip(getattr(pruner, "masks", ()), before[1], strict=True))


def test_a_state_of_something_else_is_refused_by_the_first_difference(trained, tmp_path):
    model, pruner = trained
    path = tmp_path / "state"
    prune.save_training_state(path, model, pruner)

    other = compiled(network(units=9), "adam")
    refused(
        path,
        other,
        pruner_of(other),
        r"model variable \d+ is .*dense.*/kernel float32 \(144, 8\) in the file, but .*\(144, 9\) here",
    )
    other = compiled(network(), "sgd")
    refused(path, other, pruner_of(other), "was saved with optimizer Adam, but here it is SGD")
    other = compiled(network(), "adam")
    refused(path, other, None, "mask variable 0 is .* in the file, but none here")
    other = compiled(network(), "adam")
    fewer = prune.Pruner(other, pruner.schedule, exclude=["*conv*"])
    refused(path, other, fewer, r"mask variable 0 is .*\(3, 3, 1, 4\) in the file, but .*\(144, 8\) here")
    other = network()
    with pytest.raises(prune.PruningError, match="was saved with optimizer Adam, but here it is none"):
        prune.load_training_state(path, other, pruner_of(other))


def test_a_state_without_masks_is_refused_by_a_pruner(tmp_path):
    model = compiled(network(), "adam")
    prune.save_training_state(tmp_path / "state", model, steps_done=4)
    other = compiled(network(), "adam")
    refused(tmp_path / "state", other, pruner_of(other), "mask variable 0 is none in the file, but .* here")


def test_a_file_that_is_no_state_is_refused_in_one_line(tmp_path):
    model = compiled(network(), "adam")
    (tmp_path / "text").write_text("no state")
    (tmp_path / "empty").write_bytes(b"")
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "arrays.npz", header=np.zeros(3, np.uint8), other=np.zeros(3))
    np.savez(tmp_path / "pickled.npz", header=np.array([{}], object))
    for name in ("text", "empty", "array.npy", "arrays.npz", "pickled.npz", "missing", "."):
        with pytest.raises(ModelFormatError) as refusal:
            prune.load_training_state(tmp_path / name, model)
        assert "\n" not in str(refusal.value)
        assert str(tmp_path / name) in str(refusal.value)


def test_a_state_of_another_version_is_refused_by_its_number(trained, tmp_path):
    model, pruner = trained
    path = tmp_path / "state"
    prune.save_training_state(path, model, pruner)
    with np.load(path) as members:
        arrays = dict(members)
    header = json.loads(arrays["header"].tobytes())
    arrays["header"] = np.frombuffer(json.dumps({**header, "version": header["version"] - 1}).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(
        ModelFormatError, match=f"its header tells of 'sparsetool training state', version {header['version'] - 1}"
    ):
        prune.saved_steps(path)


def test_damage_anywhere_is_found_or_does_no_harm(trained, tmp_path):
    model, pruner = trained
    path = tmp_path / "state"
    prune.save_training_state(path, model, pruner)
    good, right = path.read_bytes(), everything(model)
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(300):
        bad = bytearray(good)
        bad[rng.integers(len(good))] ^= 1 << rng.integers(8)
        path.write_bytes(bad if rng.random() < 0.8 else good[: rng.integers(len(good))])
        try:
            assert prune.load_training_state(path, model, pruner) == 10
        except ModelFormatError:
            found += 1
        assert_same(everything(model), right)
    assert found > 250


def test_a_destination_that_cannot_be_written_is_an_output_error(trained, tmp_path):
    model, pruner = trained
    with pytest.raises(OutputError, match="cannot be written"):
        prune.save_training_state(tmp_path / "missing" / "state", model, pruner)


def test_numbers_of_steps_that_make_no_sense_are_refused(tmp_path):
    model = compiled(network(), "adam")
    with pytest.raises(prune.PruningError, match="steps_done: must be given where there is no pruner"):
        prune.save_training_state(tmp_path / "state", model)
    with pytest.raises(prune.PruningError, match="every_steps: must be 1 or more; got 0"):
        prune.TrainingStateCallback(tmp_path / "state", every_steps=0)


def test_a_group_of_batches_that_keras_runs_as_one_is_saved_after_the_group(samples, tmp_path):
    import keras

    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, steps_per_execution=4)
    saved = []

    class Saving(prune.TrainingStateCallback):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if path.exists():
                saved.append(prune.saved_steps(path))

    path = tmp_path / "state"
    batches = prune.ShuffledBatches(samples, batch_size=20)  # 10 to an epoch: groups of 4, 4 and 2
    prune.fit_batches(model, batches, epochs=2, callbacks=[Saving(path, every_steps=5)])
    assert saved == [8, 10, 10, 18, 20]
