import numpy as np
import pytest

from sparsetool import prune
from sparsetool_converters.errors import VerificationError

pytestmark = pytest.mark.keras


@pytest.fixture
def half_zeros(small_model):
    return {layer.name: layer.kernel.numpy().size // 2 for layer in small_model.layers if layer.weights}


def immediately(sparsity=0.5):
    return prune.ConstantSparsity(sparsity, 0, frequency=4)


def test_training_ends_with_exactly_the_zeros_asked_for(small_model, fit, zeros, half_zeros):
    pruner = prune.Pruner(small_model, prune.PolynomialDecay(0.1, 0.5, 0, 12, frequency=4))
    fit(small_model, pruner.callback())
    assert zeros(small_model) == half_zeros
    assert [(r.variable, r.zeros, r.target_zeros, r.sparsity) for r in pruner.check()] == [
        (f"small/{name}/kernel", count, count, 0.5) for name, count in half_zeros.items()
    ]


def test_no_negative_zero_is_left(small_model, fit):
    pruner = prune.Pruner(small_model, immediately(0.9))
    fit(small_model, pruner.callback())
    for variable in (chosen.variable for chosen in pruner.selection.pruned):
        weights = variable.numpy()
        assert not np.signbit(weights[weights == 0]).any()


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw", "lion"])
def test_zeros_hold_under_any_optimizer(small_model, fit, zeros, half_zeros, optimizer):
    fit(small_model, prune.Pruner(small_model, prune.ConstantSparsity(0.5, 0, 0)).callback(), optimizer=optimizer)
    assert zeros(small_model) == half_zeros


def test_zeros_hold_when_several_steps_run_as_one(small_model, fit, zeros, half_zeros):
    fit(small_model, prune.Pruner(small_model, immediately()).callback(), steps_per_execution=3)
    assert zeros(small_model) == half_zeros


def test_zeros_hold_when_the_optimizer_averages_weights(small_model, fit, zeros, half_zeros):
    import keras

    averaging = keras.optimizers.Adam(use_ema=True, ema_overwrite_frequency=None)
    fit(small_model, prune.Pruner(small_model, immediately()).callback(), optimizer=averaging)
    assert zeros(small_model) == half_zeros


def test_zeros_hold_in_a_loop_of_ones_own(small_model, samples, zeros, half_zeros):
    import keras
    import tensorflow as tf

    pruner = prune.Pruner(small_model, immediately())
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    for step in range(5):
        if pruner.schedule.should_prune(step):
            pruner.update(step)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(small_model(samples[0]) ** 2)
        gradients = tape.gradient(loss, small_model.trainable_variables)
        optimizer.apply(gradients, small_model.trainable_variables)
    assert zeros(small_model) == half_zeros


def test_a_model_that_was_trained_before_is_pruned_too(small_model, fit, zeros, half_zeros):
    fit(small_model)
    fit(small_model, prune.Pruner(small_model, prune.ConstantSparsity(0.5, 0, 0)).callback())
    assert zeros(small_model) == half_zeros


def test_pruned_weights_have_no_optimizer_state(small_model, fit):
    import keras

    pruner = prune.Pruner(small_model, immediately())
    fit(small_model)
    pruner.update(0)
    optimizer = small_model.optimizer
    for variable in (chosen.variable for chosen in pruner.selection.pruned):
        index = optimizer._get_variable_index(variable)
        for state in (optimizer._momentums[index], optimizer._velocities[index]):
            values = keras.ops.convert_to_numpy(state)
            assert not values[variable.numpy() == 0].any()
            assert values.any()


def test_optimizer_state_behind_a_loss_scale_is_cleared(small_model, fit):
    import keras

    pruner = prune.Pruner(small_model, immediately())
    fit(small_model, optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(momentum=0.9)))
    pruner.update(0)
    optimizer = small_model.optimizer.inner_optimizer
    variable = pruner.selection.pruned[1].variable
    momentum = optimizer.momentums[optimizer._get_variable_index(variable)].numpy()
    assert not momentum[variable.numpy() == 0].any()
    assert momentum.any()


def test_a_block_is_consecutive_inputs_of_one_output(small_model):
    pruner = prune.Pruner(small_model, immediately(), block_size=(1, 16), include=["*hidden/kernel"])
    pruner.update(0)
    kernel = small_model.get_layer("hidden").kernel.numpy()  # (in, out)
    blocks = kernel.T.reshape(16, -1, 16)  # (out, in / 16, 16)
    zeros_in_block = (blocks == 0).sum(axis=-1)
    assert set(np.unique(zeros_in_block)) == {0, 16}
    assert (zeros_in_block == 16).sum() == zeros_in_block.size // 2


def test_the_weights_of_least_magnitude_go(small_model):
    before = np.abs(small_model.get_layer("hidden").kernel.numpy())
    prune.Pruner(small_model, immediately()).update(0)
    after = small_model.get_layer("hidden").kernel.numpy()
    assert before[after == 0].max() <= before[after != 0].min()


def test_a_shape_that_does_not_fit_the_block_is_refused_before_training(small_model):
    with pytest.raises(prune.PruningError, match="small/conv/kernel: its 1 inputs are not a multiple of the 16"):
        prune.Pruner(small_model, immediately(), block_size=(1, 16))
    assert small_model.get_layer("conv").kernel.constraint is None


def test_a_constraint_of_the_users_own_holds_too_and_comes_back(small_model, fit):
    import keras

    kernel = small_model.get_layer("hidden").kernel
    own = keras.constraints.NonNeg()
    kernel.constraint = own
    pruner = prune.Pruner(small_model, prune.ConstantSparsity(0.1, 0, 0))
    fit(small_model, pruner.callback())
    assert (kernel.numpy() >= 0).all()
    pruner.strip()
    assert kernel.constraint is own
    assert small_model.get_layer("conv").kernel.constraint is None


def test_after_strip_pruned_weights_train_again(small_model, fit, zeros, half_zeros):
    pruner = prune.Pruner(small_model, immediately())
    fit(small_model, pruner.callback())
    pruner.strip()
    assert zeros(small_model) == half_zeros
    fit(small_model, epochs=1)
    after = zeros(small_model)
    assert all(after[name] < count for name, count in half_zeros.items())


def test_a_stripped_pruner_still_checks_but_no_longer_prunes(small_model, fit):
    pruner = prune.Pruner(small_model, immediately())
    fit(small_model, pruner.callback())
    pruner.strip()
    assert len(pruner.check()) == 3
    with pytest.raises(prune.PruningError, match="stripped"):
        pruner.update(0)


def test_a_second_pruner_on_the_same_model_is_refused(small_model):
    prune.Pruner(small_model, immediately())
    with pytest.raises(prune.PruningError, match="another Pruner"):
        prune.Pruner(small_model, immediately())


def test_check_refuses_a_variable_that_is_not_sparse_enough(small_model):
    pruner = prune.Pruner(small_model, prune.PolynomialDecay(0.1, 0.5, 0, 10, frequency=10))
    pruner.update(0)
    with pytest.raises(VerificationError, match=r"prune: small/conv/kernel: 4 of 36 weights are zero, but .* 18"):
        pruner.check()


def test_check_refuses_a_negative_zero(small_model):
    pruner = prune.Pruner(small_model, immediately())
    pruner.update(0)
    variable = pruner.selection.pruned[0].variable
    variable.assign(np.where(variable.numpy() == 0, np.float32(-0.0), variable.numpy()))
    with pytest.raises(VerificationError, match=r"small/conv/kernel: has -0\.0"):
        pruner.check()


def test_weights_that_are_not_finite_name_their_variable(small_model):
    pruner = prune.Pruner(small_model, immediately())
    small_model.get_layer("logits").kernel.assign(np.full((16, 4), np.nan))
    with pytest.raises(prune.PruningError, match="small/logits/kernel: has weights that are not finite"):
        pruner.update(0)
