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
    for chosen in pruner.selection.pruned:
        weights = chosen.variable.numpy()
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

    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    pruner = prune.Pruner(small_model, immediately(), optimizer=optimizer)
    for step in range(5):
        assert pruner.due == (step in (0, 4))
        assert pruner.step() == (step in (0, 4))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(small_model(samples[0]) ** 2)
        gradients = tape.gradient(loss, small_model.trainable_variables)
        optimizer.apply(gradients, small_model.trainable_variables)
    assert zeros(small_model) == half_zeros


def test_a_model_that_was_trained_before_is_pruned_too(small_model, fit, zeros, half_zeros):
    fit(small_model)
    fit(small_model, prune.Pruner(small_model, prune.ConstantSparsity(0.5, 0, 0)).callback())
    assert zeros(small_model) == half_zeros


def test_a_block_is_consecutive_inputs_of_one_output(small_model):
    pruner = prune.Pruner(small_model, immediately(), structure=prune.Block((1, 16)), include=["*hidden/kernel"])
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
        prune.Pruner(small_model, immediately(), structure=prune.Block((1, 16)))
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
    with pytest.raises(VerificationError, match=r"small/conv/kernel: has pruned weights that are not \+0\.0"):
        pruner.check()


def test_weights_that_are_not_finite_name_their_variable(small_model):
    pruner = prune.Pruner(small_model, immediately())
    small_model.get_layer("logits").kernel.assign(np.full((16, 4), np.nan))
    with pytest.raises(prune.PruningError, match="small/logits/kernel: "):
        pruner.update(0)


def test_rules_give_variables_targets_of_their_own_on_the_same_curve(small_model):
    rules = [prune.Rule(pattern="*/hidden/kernel", target_sparsity=0.75), prune.Rule(pattern="*/conv/*", prune=False)]
    pruner = prune.Pruner(small_model, prune.PolynomialDecay(0.0, 0.5, 0, 8, power=1, frequency=4), rules=rules)
    pruner.update(4)
    assert [r.sparsity for r in pruner.report()] == [0.375, 0.25]
    pruner.update(8)
    assert [(r.variable, r.sparsity) for r in pruner.check()] == [
        ("small/hidden/kernel", 0.75),
        ("small/logits/kernel", 0.5),
    ]


def test_a_global_scope_takes_more_where_weights_are_small_and_keeps_the_least_share(small_model):
    kernels = {layer.name: layer.kernel for layer in small_model.layers if layer.weights}
    kernels["hidden"].assign(kernels["hidden"].numpy() / 100)
    pruner = prune.Pruner(small_model, immediately(0.9), scope="global", min_kept=0.08)
    pruner.update(0)
    report = {r.variable.split("/")[1]: r for r in pruner.check()}
    total = sum(r.weights for r in report.values())
    assert sum(r.zeros for r in report.values()) == round(0.9 * total)
    assert report["hidden"].zeros == 2304 - 185  # ceil(0.08 * 2304) stay
    assert 0 < report["logits"].sparsity < 0.8


def test_a_least_share_without_a_global_scope_is_refused(small_model):
    with pytest.raises(prune.PruningError, match='min_kept: needs scope="global"'):
        prune.Pruner(small_model, immediately(), min_kept=0.1)


def test_a_global_scope_with_targets_of_variables_own_is_refused(small_model):
    with pytest.raises(prune.PruningError, match=r'small/hidden/kernel: has a target .* scope="layer"'):
        prune.Pruner(
            small_model, immediately(), scope="global", rules=[prune.Rule(pattern="*hidden*", target_sparsity=0.1)]
        )


def test_scores_of_the_users_own_decide_what_goes(small_model):
    kernel = small_model.get_layer("hidden").kernel
    scores = np.arange(kernel.numpy().size, dtype=np.float32).reshape(kernel.shape)
    pruner = prune.Pruner(small_model, immediately(), scores=lambda variable: scores, include=["*hidden/kernel"])
    pruner.update(0)
    assert np.array_equal(kernel.numpy() == 0, scores < scores.size / 2)


def test_scores_of_another_shape_are_refused(small_model):
    with pytest.raises(prune.PruningError, match=r"scores: must give an array of the variable's shape \(3, 3, 1, 4\)"):
        prune.Pruner(small_model, immediately(), scores=lambda variable: np.ones(3))


def test_n_of_m_whose_end_is_not_its_own_sparsity_is_refused(small_model):
    with pytest.raises(prune.PruningError, match=r"2 of 4 is sparsity 0\.5; the end of the schedule asks for 0\.6"):
        prune.Pruner(
            small_model, immediately(0.6), structure=prune.NOfM(2, 4), include=["*hidden/kernel", "*logits/kernel"]
        )


def test_a_rule_of_n_of_m_ends_at_its_own_sparsity(small_model):
    rules = [prune.Rule(pattern="*hidden/kernel", structure=prune.NOfM(1, 4))]
    pruner = prune.Pruner(small_model, immediately(0.5), rules=rules)
    pruner.update(0)
    assert {r.variable: r.sparsity for r in pruner.check()}["small/hidden/kernel"] == 0.75
    groups = small_model.get_layer("hidden").kernel.numpy().T.reshape(-1, 4)
    assert set(np.count_nonzero(groups, axis=1)) == {1}


def test_observers_hear_of_each_refresh(small_model, fit):
    heard = []
    pruner = prune.Pruner(small_model, immediately())
    pruner.observers.append(lambda step, of: heard.append((step, of.report()[0].sparsity)))
    fit(small_model, pruner.callback(), epochs=1)
    assert heard == [(0, 0.5), (4, 0.5), (8, 0.5)]


def test_a_pruned_model_trains_on_with_its_zeros_held(small_model, fit, zeros, half_zeros):
    first = prune.Pruner(small_model, immediately())
    first.update(0)
    first.strip()
    pruner = prune.Pruner(small_model, prune.ConstantSparsity(0.5, 1000))
    pruner.hold_zeros()
    pruner.plan(steps=None)
    fit(small_model, pruner.callback())
    assert zeros(small_model) == half_zeros


def test_a_restored_pruner_goes_on_where_the_other_was(small_model, zeros):
    pruner = prune.Pruner(small_model, immediately())
    masks = [np.arange(mask.numpy().size).reshape(mask.shape) % 3 > 0 for mask in pruner.masks]
    pruner.restore(masks, 9)
    assert pruner.steps_done == 9
    assert not pruner.due
    assert all(np.array_equal(mask.numpy(), asked) for mask, asked in zip(pruner.masks, masks, strict=True))
    assert zeros(small_model)["hidden"] == (~masks[1]).sum()


def test_masks_of_another_model_are_refused_and_nothing_is_changed(small_model, zeros):
    pruner = prune.Pruner(small_model, immediately())
    with pytest.raises(prune.PruningError, match="small: the masks are of another model"):
        pruner.restore([np.zeros((3, 3), np.bool_)], 9)
    assert pruner.steps_done == 0
    assert zeros(small_model)["hidden"] == 0


def test_a_relative_schedule_is_fitted_to_the_length_of_training(small_model, fit):
    pruner = prune.Pruner(small_model, prune.PolynomialDecay(0.0, 0.5, "1 epoch", "75%", frequency=1))
    fit(small_model, pruner.callback(), epochs=4)
    assert (pruner.schedule.begin_step, pruner.schedule.end_step) == (10, 30)
    pruner.check()


def test_a_schedule_of_several_fits_is_planned_for_all_of_them(small_model, fit):
    pruner = prune.Pruner(small_model, prune.PolynomialDecay(0.0, 0.5, 0, 15, frequency=5))
    pruner.plan(steps=20, steps_per_epoch=10)
    fit(small_model, pruner.callback(), epochs=1)
    fit(small_model, pruner.callback(), epochs=1)
    pruner.check()
    assert pruner.steps_done == 20


def test_a_swap_of_averaged_weights_brings_back_no_pruned_weight(small_model, fit, zeros, half_zeros):
    import keras

    class Zeros(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(zeros(self.model))

    seen = []
    pruner = prune.Pruner(small_model, immediately())
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    fit(small_model, pruner.callback(), swap, Zeros(), optimizer=keras.optimizers.Adam(use_ema=True), epochs=3)
    assert seen == [half_zeros] * 3
    assert zeros(small_model) == half_zeros


def test_a_kept_weight_may_be_a_negative_zero(small_model):
    kernel = small_model.get_layer("hidden").kernel
    pruner = prune.Pruner(small_model, immediately())
    pruner.update(0)
    kept = pruner.masks[1].numpy()
    kernel.assign(np.where(kept, np.float32(-0.0), kernel.numpy()))  # as NonNeg leaves it, a product
    pruner.check()


def test_a_function_of_the_step_is_a_schedule(small_model, fit):
    pruner = prune.Pruner(small_model, lambda step: (step % 5 == 0, min(0.5, step / 20)))
    fit(small_model, pruner.callback())
    assert [r.sparsity for r in pruner.check()] == [0.5, 0.5, 0.5]


def test_what_is_no_schedule_is_refused(small_model):
    with pytest.raises(prune.PruningError, match=r"schedule: must be one, such as .*; 0\.5 has no target"):
        prune.Pruner(small_model, 0.5)
