"""What an optimizer keeps beside the weights, and how masks travel with it.

An optimizer keeps slots, such as momenta and averages: variables of a weight's own shape. They are of no use where a
weight is pruned, and stale where it comes back.
"""

from collections.abc import Iterator, Sequence

import keras


def slots(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> Iterator[tuple[keras.Variable, float]]:
    """Yield each slot of a weight, with the value that it has before the first step.

    That is 0 but for the accumulators of Ftrl, which divides by them. An optimizer that is not built has no slots;
    factored statistics, such as those of Adafactor, have no entry for a single weight and are left out.

    Args:
        optimizer: any optimizer of Keras, those around other optimizers included.
        variable: one of the model's trainable variables, of any shape.
    """
    for inner in _updating(optimizer):
        if not inner.built or inner._var_key(variable) not in inner._trainable_variables_indices:
            continue
        index, count = inner._get_variable_index(variable), len(inner._trainable_variables)
        for name, states in vars(inner).items():
            if name == "_trainable_variables" or not isinstance(states, list) or len(states) != count:
                continue
            slot = states[index]
            if isinstance(slot, keras.Variable) and tuple(slot.shape) == tuple(variable.shape):
                divides = isinstance(inner, keras.optimizers.Ftrl) and name == "_accumulators"
                yield slot, float(inner.initial_accumulator_value) if divides else 0.0


def carry(optimizer: keras.optimizers.Optimizer, masks: Sequence[keras.Variable]) -> None:
    """Make masks part of what the optimizer hands from step to step, where a compiled step sees nothing else.

    That is so on JAX: a compiled step has any other variable as the constant that it was at first.
    """
    holder = _innermost(optimizer)
    held = {id(variable) for variable in holder.variables}
    for mask in masks:
        if id(mask) not in held:
            holder._track_variable(mask)


def drop(optimizer: keras.optimizers.Optimizer, masks: Sequence[keras.Variable]) -> None:
    """Undo `carry`."""
    holder = _innermost(optimizer)
    held = {id(variable) for variable in holder.variables}
    for mask in masks:
        if id(mask) in held:
            holder._untrack_variable(mask)


def synchronize(model: keras.Model) -> None:
    """Have all variables hold what they are now: within `fit`, JAX keeps their values elsewhere."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()


def _updating(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """The optimizers that change weights: of a MultiOptimizer each of its own, else the innermost one."""
    innermost = _innermost(optimizer)
    return getattr(innermost, "optimizers", None) or [innermost]


def _innermost(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return optimizer
