import numpy as np
import pytest

from sparsetool import prune

pytestmark = pytest.mark.keras

OPTIMIZERS = {
    "SGD": {"momentum": 0.9},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "Adam": {"amsgrad": True, "gradient_accumulation_steps": 3},
    "AdamW": {"use_ema": True},
    "Adadelta": {},
    "Adagrad": {},
    "Adamax": {},
    "Nadam": {},
    "Lion": {},
    "Lamb": {},
    "Muon": {},
    "ScheduleFreeAdamW": {},
}


def slots_of(optimizer, variable):
    from sparsetool.prune.optimizer_state import slots

    return list(slots(optimizer, variable))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_variable_of_an_optimizer_that_has_the_weights_shape_is_a_slot(small_model, name):
    import keras

    optimizer = getattr(keras.optimizers, name)(**OPTIMIZERS[name])
    optimizer.build(small_model.trainable_variables)
    kernel = small_model.get_layer("hidden").kernel
    found = slots_of(optimizer, kernel)
    assert [slot.path for slot, _ in found] != []
    assert {id(slot) for slot, _ in found} == {id(v) for v in optimizer.variables if v.shape == kernel.shape}
    assert all(fresh == 0 for _, fresh in found)


def test_the_accumulators_of_ftrl_start_where_a_division_by_them_is_safe(small_model):
    import keras

    optimizer = keras.optimizers.Ftrl(initial_accumulator_value=0.25)
    optimizer.build(small_model.trainable_variables)
    assert sorted(fresh for _, fresh in slots_of(optimizer, small_model.get_layer("hidden").kernel)) == [0.0, 0.25]


def test_an_optimizer_that_is_not_built_has_no_slots(small_model):
    import keras

    assert slots_of(keras.optimizers.Adam(), small_model.get_layer("hidden").kernel) == []


def test_a_variable_that_the_optimizer_does_not_train_has_no_slots(small_model):
    import keras

    optimizer = keras.optimizers.Adam()
    optimizer.build([small_model.get_layer("hidden").kernel])
    assert slots_of(optimizer, small_model.get_layer("conv").kernel) == []


def test_factored_statistics_are_left_alone(small_model):
    import keras

    optimizer = keras.optimizers.Adafactor()
    optimizer.build(small_model.trainable_variables)
    kernel = small_model.get_layer("hidden").kernel
    assert all(slot.shape == kernel.shape for slot, _ in slots_of(optimizer, kernel))


def test_slots_behind_a_loss_scale_and_of_several_optimizers_are_found(small_model):
    import keras

    kernel, logits = small_model.get_layer("hidden").kernel, small_model.get_layer("logits").kernel
    several = keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(keras.optimizers.Adam(), {".*logits.*": keras.optimizers.SGD(momentum=0.9)})
    )
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(momentum=0.9))
    for optimizer in (several, scaled):
        optimizer.build(small_model.trainable_variables)
    assert [len(slots_of(several, v)) for v in (kernel, logits)] == [2, 1]
    assert [len(slots_of(scaled, v)) for v in (kernel, logits)] == [1, 1]


@pytest.mark.parametrize("name", ["Adam", "Adagrad", "Ftrl", "Muon", "AdamW"])
def test_a_refresh_gives_pruned_weights_the_state_of_the_first_step(small_model, fit, name):
    import keras

    fit(small_model, optimizer=getattr(keras.optimizers, name)(0.01, use_ema=name == "AdamW"))
    pruner = prune.Pruner(small_model, prune.ConstantSparsity(0.5, 0))
    pruner.update(0)
    for chosen in pruner.selection.pruned:
        gone = chosen.variable.numpy() == 0
        for slot, fresh in slots_of(small_model.optimizer, chosen.variable):
            assert np.all(slot.numpy()[gone] == np.float32(fresh))
            assert np.any(slot.numpy()[~gone] != np.float32(fresh))
