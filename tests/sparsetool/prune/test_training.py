import numpy as np
import pytest

from sparsetool import prune

pytestmark = pytest.mark.keras


def trained(small_model, samples, **settings):
    prune.train(small_model, samples, prune.TrainingSettings(**settings))
    return [weights.numpy() for weights in small_model.weights]


@pytest.fixture
def restart(small_model):
    start = small_model.get_weights()
    return lambda: small_model.set_weights(start)


def test_the_same_settings_give_the_same_weights(small_model, samples, restart):
    first = trained(small_model, samples, epochs=2, batch_size=20, seed=5)
    restart()
    again = trained(small_model, samples, epochs=2, batch_size=20, seed=5)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_random_layer_starts_anew_with_each_training():
    import keras

    random = np.random.default_rng(0)
    data = random.random((64, 8), np.float32), random.integers(0, 2, 64)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    start = model.get_weights()
    first = trained(model, data, epochs=2)
    model.set_weights(start)
    other = keras.models.clone_model(model)
    other.set_weights(start)
    for again in (trained(model, data, epochs=2), trained(other, data, epochs=2)):
        np.testing.assert_array_equal(again[0], first[0])


def test_another_seed_gives_other_weights(small_model, samples, restart):
    first = trained(small_model, samples, epochs=1, batch_size=20, seed=5)
    restart()
    assert not np.array_equal(first[0], trained(small_model, samples, epochs=1, batch_size=20, seed=6)[0])


def test_training_learns(small_model, samples):
    before = prune.accuracy(small_model, samples)
    trained(small_model, samples, epochs=20, batch_size=20, learning_rate=1e-2)
    assert prune.accuracy(small_model, samples) > max(before, 0.9)


def test_progress_counts_every_step_up_to_the_planned_number(small_model, samples):
    seen = []
    settings = prune.TrainingSettings(epochs=2, batch_size=64)
    prune.train(small_model, samples, settings, on_progress=lambda *step: seen.append(step))
    assert [(done, steps) for done, steps, _ in seen] == [(done, 8) for done in range(1, 9)]
    assert settings.steps(200) == 8
    assert set(seen[-1][2]) == {"accuracy", "loss"}


def test_cosine_decay_ends_at_zero(small_model, samples):
    trained(small_model, samples, epochs=2, batch_size=20, decay="cosine")
    assert float(small_model.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)


def test_training_is_silent(small_model, samples, capfd):
    trained(small_model, samples, epochs=1, batch_size=20)
    prune.accuracy(small_model, samples)
    assert capfd.readouterr().out == ""


def test_a_pruner_keeps_to_its_schedule(small_model, samples):
    pruner = prune.Pruner(small_model, prune.ConstantSparsity(0.9, 0, frequency=1))
    settings = prune.TrainingSettings(epochs=1, batch_size=20)
    prune.train(small_model, samples, settings, pruner=pruner)
    pruner.check()


def test_training_that_is_done_goes_on_for_nothing_and_says_how_far_it_was(build, samples, tmp_path):
    settings = prune.TrainingSettings(epochs=2, batch_size=20, save_every_steps=5)
    model, again, seen = build(), build(), []
    prune.train(model, samples, settings, state=tmp_path / "state")
    prune.train(again, samples, settings, state=tmp_path / "state", on_progress=lambda *step: seen.append(step))
    assert seen == [(20, 20, {})]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights(), strict=True))


def test_the_cosine_decays_on_from_where_it_was(build, samples, tmp_path):
    settings = prune.TrainingSettings(epochs=2, batch_size=20, decay="cosine", save_every_steps=15)

    def stop(done, steps, metrics):
        if metrics and done == 17:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune.train(build(), samples, settings, state=tmp_path / "state", on_progress=stop)
    again, seen = build(), []
    prune.train(again, samples, settings, state=tmp_path / "state", on_progress=lambda *step: seen.append(step[:2]))
    assert seen == [(done, 20) for done in range(15, 21)]
    assert int(again.optimizer.iterations) == 20
    assert float(again.optimizer.learning_rate) == pytest.approx(0, abs=1e-9)


def test_saving_changes_no_weight(build, samples, tmp_path):
    model, saved = build(), build()
    for one, state in ((model, None), (saved, tmp_path / "state")):
        pruner = prune.Pruner(one, prune.PolynomialDecay(0.2, 0.9, 0, 15, frequency=5))
        settings = prune.TrainingSettings(epochs=2, batch_size=20, save_every_steps=1)
        prune.train(one, samples, settings, pruner=pruner, state=state)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), saved.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["epochs", "batch_size", "learning_rate", "save_every_steps"])
def test_a_number_that_is_not_positive_is_refused(name):
    with pytest.raises(prune.PruningError, match=f"{name}: must be above 0; got 0"):
        prune.TrainingSettings(**{"epochs": 1, name: 0})


def test_a_negative_seed_is_refused():
    with pytest.raises(prune.PruningError, match="seed: must be 0 or more; got -1"):
        prune.TrainingSettings(epochs=1, seed=-1)
