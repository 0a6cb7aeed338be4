"""Every way in which people train a Keras model, with a pruner in it.

LOOPS[name](training)      runs STEPS batches and tells `training.after_step` of each
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from model_kinds import Inputs

from sparsetool.prune import Pruner

BATCH = 8
STEPS = 60


@dataclass
class Training:
    """What a loop is given.

    Attributes:
        model: built, not compiled.
        data: inputs, an array [n, ...] or a list of them, and classes [n].
        prune: makes the pruner, once the model is compiled or, with an optimizer as argument, for a loop of its own.
        after_step: to call after each step of the optimizer, with all variables written back.
    """

    model: keras.Model
    data: tuple[Inputs, np.ndarray]
    prune: Callable[..., Pruner]
    after_step: Callable[[], None]

    def batches(self) -> Iterator[tuple[Inputs, np.ndarray]]:
        x, y = self.data
        for step in range(STEPS):
            rows = np.arange(step * BATCH, (step + 1) * BATCH) % len(y)
            yield ([part[rows] for part in x] if isinstance(x, list) else x[rows]), y[rows]


def loss_function() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class _AfterStep(keras.callbacks.Callback):
    def __init__(self, training: Training) -> None:
        super().__init__()
        self._training = training

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        self._training.after_step()


def _fit(training: Training, optimizer: Any = "adam", **options: Any) -> None:
    if optimizer == "adam":
        optimizer = keras.optimizers.Adam(0.02)
    training.model.compile(optimizer, loss_function(), **options)
    pruner = training.prune()
    x, y = training.data
    epochs = STEPS * BATCH // len(y)
    training.model.fit(
        x, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[pruner.callback(), _AfterStep(training)]
    )


def _train_on_batch(training: Training) -> None:
    training.model.compile(keras.optimizers.Adam(0.02), loss_function())
    pruner = training.prune()
    for x, y in training.batches():
        pruner.step()
        training.model.train_on_batch(x, y)
        training.after_step()


def _own_tensorflow(training: Training) -> None:
    import tensorflow as tf

    model, optimizer, loss = training.model, keras.optimizers.Adam(0.02), loss_function()
    pruner = training.prune(optimizer=optimizer)

    @tf.function
    def train_step(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    for x, y in training.batches():
        pruner.step()
        train_step(x, y)
        training.after_step()


def _own_jax(training: Training) -> None:
    import jax

    model, optimizer, loss = training.model, keras.optimizers.Adam(0.02), loss_function()
    optimizer.build(model.trainable_variables)
    pruner = training.prune(optimizer=optimizer)

    def objective(trainable: Any, others: Any, x: Any, y: Any) -> Any:
        logits, others = model.stateless_call(trainable, others, x, training=True)
        return loss(y, logits), others

    @jax.jit
    def train_step(state: Any, x: Any, y: Any) -> Any:
        trainable, others, kept = state
        (_, others), gradients = jax.value_and_grad(objective, has_aux=True)(trainable, others, x, y)
        trainable, kept = optimizer.stateless_apply(kept, gradients, trainable)
        return trainable, others, kept

    groups = (model.trainable_variables, model.non_trainable_variables, optimizer)

    def variables(group: Any) -> Any:
        return group.variables if group is optimizer else group

    for x, y in training.batches():
        pruner.step()
        state = tuple([variable.value for variable in variables(group)] for group in groups)
        for group, values in zip(groups, train_step(state, x, y), strict=True):
            for variable, value in zip(variables(group), values, strict=True):
                variable.assign(value)
        training.after_step()


def _own_torch(training: Training) -> None:
    import torch

    model, optimizer, loss = training.model, keras.optimizers.Adam(0.02), loss_function()
    pruner = training.prune(optimizer=optimizer)
    for x, y in training.batches():
        pruner.step()
        model.zero_grad()
        loss(y, model(x, training=True)).backward()
        with torch.no_grad():
            optimizer.apply([v.value.grad for v in model.trainable_variables], model.trainable_variables)
        training.after_step()


def _native_torch(training: Training) -> None:
    import torch

    model, loss = training.model, loss_function()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    pruner = training.prune()
    for x, y in training.batches():
        pruner.step()
        optimizer.zero_grad()
        loss(y, model(x, training=True)).backward()
        optimizer.step()
        pruner.apply()
        training.after_step()


def _optimizer(make: Callable[[], keras.optimizers.Optimizer]) -> Callable[[Training], None]:
    return lambda training: _fit(training, make())


OPTIMIZERS: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
    "SGD, momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "RMSprop": lambda: keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "Adam, amsgrad": lambda: keras.optimizers.Adam(0.02, amsgrad=True),
    "AdamW": lambda: keras.optimizers.AdamW(0.02, weight_decay=0.01),
    "Adadelta": lambda: keras.optimizers.Adadelta(5.0),
    "Adagrad": lambda: keras.optimizers.Adagrad(0.1),
    "Adamax": lambda: keras.optimizers.Adamax(0.02),
    "Adafactor": lambda: keras.optimizers.Adafactor(0.1),
    "Nadam": lambda: keras.optimizers.Nadam(0.02),
    "Ftrl": lambda: keras.optimizers.Ftrl(0.1),
    "Lion": lambda: keras.optimizers.Lion(0.005),
    "Lamb": lambda: keras.optimizers.Lamb(0.02),
    "Muon": lambda: keras.optimizers.Muon(0.02),
    "ScheduleFreeAdamW": lambda: keras.optimizers.ScheduleFreeAdamW(0.02),
    "average of weights": lambda: keras.optimizers.Adam(0.02, use_ema=True, ema_momentum=0.9),
    "average, overwriting": lambda: keras.optimizers.Adam(
        0.02, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=4
    ),
    "gradient accumulation": lambda: keras.optimizers.Adam(0.05, gradient_accumulation_steps=3),
    "loss scaling": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.02), initial_scale=1024.0),
    "several optimizers": lambda: keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(
            keras.optimizers.Adam(0.02), {".*logits.*": keras.optimizers.SGD(0.1, momentum=0.9)}
        )
    ),
}

OWN_LOOPS = {"tensorflow": _own_tensorflow, "jax": _own_jax, "torch": _own_torch}

LOOPS: dict[str, Callable[[Training], None]] = {
    "fit": _fit,
    "train_on_batch": _train_on_batch,
    "own loop": lambda training: OWN_LOOPS[keras.backend.backend()](training),
}
"""Loops that every model kind goes through."""

VARIANTS: dict[str, Callable[[Training], None]] = {
    "steps_per_execution 4": lambda training: _fit(training, steps_per_execution=4),
    "jit_compile": lambda training: _fit(training, jit_compile=True),
    "eager": lambda training: _fit(training, run_eagerly=True),
    "mixed_float16": _fit,
    "mixed_bfloat16": _fit,
    **{name: _optimizer(make) for name, make in OPTIMIZERS.items()},
}
"""Loops that one model kind goes through."""

NATIVE = {"torch": {"optimizer of torch": _native_torch}}
POLICIES = {"mixed_float16", "mixed_bfloat16"}
