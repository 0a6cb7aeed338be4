"""Train a classifier: the loop that the dense and the pruning phase share."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from sparsetool.prune.batches import ShuffledBatches, fit_batches
from sparsetool.prune.errors import PruningError
from sparsetool.prune.pruner import Pruner
from sparsetool.prune.recorder import PruningRecorder
from sparsetool.prune.state import TrainingStateCallback, load_training_state, saved_metrics, saved_recording

Arrays = tuple[NDArray[Any], NDArray[Any]]  # x [n, ...], y [n] with class indices
OnProgress = Callable[[int, int, Mapping[str, float]], None]  # steps done, steps in all, running metrics
Decay = Literal["constant", "cosine"]

# TensorFlow adds up shares of a sum, as many as it has threads: this number is part of what the weights depend on.
TENSORFLOW_THREADS = 2


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How one phase is trained.

    Attributes:
        epochs: passes over the training data.
        batch_size: samples in a step; what is left over of an epoch makes a smaller last step.
        learning_rate: of Adam, at the first step.
        decay: "constant", or "cosine" down to 0 at the last step.
        seed: of the shuffling and of every random layer.
        save_every_steps: how often the state of training is saved, where it is. Saving takes as long as writing the
            weights and what the optimizer keeps of them; what came after the last time is trained again.

    Raises:
        PruningError: a number that is not positive, or a negative seed.
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 1e-3
    decay: Decay = "constant"
    seed: int = 0
    save_every_steps: int = 500

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "save_every_steps"):
            if not getattr(self, name) > 0:
                raise PruningError(name, f"must be above 0; got {getattr(self, name)}")
        if self.seed < 0:
            raise PruningError("seed", f"must be 0 or more; got {self.seed}")

    def steps(self, samples: int) -> int:
        """Return how many steps training on so many samples takes."""
        return self.epochs * -(-samples // self.batch_size)


def train(
    model: keras.Model,
    data: Arrays,
    settings: TrainingSettings,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    pruner: Pruner | None = None,
    on_progress: OnProgress | None = None,
    state: Path | None = None,
    recorder: PruningRecorder | None = None,
) -> None:
    """Compile a classifier with Adam and train it in place.

    The same weights to start from, data, settings and machine give the same weights in the end, by
    `make_deterministic`, by `ShuffledBatches` and by seeding the model's random layers; also if training was killed
    and begun again any number of times, where a state is kept.

    Args:
        model: gives logits `[n, classes]`.
        data: x float32 `[n, ...]`, y integers `[n]`.
        settings: how to train.
        callbacks: Keras callbacks; that of the pruner is none of them.
        pruner: prunes the model meanwhile.
        on_progress: called after each step with steps done, steps in all, and the epoch's running metrics; and once
            before, without metrics, where training goes on from a state.
        state: file that the state of training is saved to; if there is one already, training goes on from it.
        recorder: is told the metrics of each step, and goes on from a state as training does; made before this call.

    Raises:
        PruningError: a schedule that cannot be kept in so many steps, or the state of another model.
        ModelFormatError: a state that is damaged.
        OutputError: the state cannot be written.
    """
    steps = settings.steps(len(data[0]))
    make_deterministic(settings.seed)
    _reseed_layers(model, settings.seed)
    model.compile(
        optimizer=keras.optimizers.Adam(_learning_rate(settings, steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    batches = ShuffledBatches(data, batch_size=settings.batch_size, seed=settings.seed)
    first_step, before, after = 0, [], []
    if pruner is not None:
        if not pruner.planned:
            pruner.plan(steps=steps, steps_per_epoch=batches.steps_per_epoch)
        before.append(pruner.callback())
    if state is not None and state.exists():
        first_step = load_training_state(state, model, pruner)
        if recorder is not None:
            recorder.restore(saved_recording(state))
        if first_step % batches.steps_per_epoch:
            # Keras makes the variables of metrics at the first batch, which would be too late.
            model._symbolic_build(data_batch=tuple(array[:1] for array in data))
            before.append(_GoOnWithMetrics(saved_metrics(state)))
    if recorder is not None:
        after.append(_Progress(lambda done, _, metrics: recorder.metrics(done, metrics), first_step, steps))
    if on_progress is not None:
        if first_step:
            on_progress(first_step, steps, {})
        after.append(_Progress(on_progress, first_step, steps))
    if state is not None:  # last, once the recorder knows of the step
        every_steps = settings.save_every_steps
        after.append(
            TrainingStateCallback(state, pruner, every_steps=every_steps, steps_done=first_step, recorder=recorder)
        )
    listening = [*before, *callbacks, *after]
    fit_batches(model, batches, epochs=settings.epochs, first_step=first_step, callbacks=listening)


def make_deterministic(seed: int) -> None:
    """Seed Python, numpy and Keras, and have TensorFlow use deterministic kernels, for the whole process.

    TensorFlow also gets a number of threads that is the same on every machine, if it has not begun to compute yet;
    afterwards it keeps the number that it has, by default one for each processor.

    `train` does this itself; call it before a model is built, so that its first weights are the same too.
    """
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        from tensorflow.config import threading
        from tensorflow.config.experimental import enable_op_determinism

        with suppress(RuntimeError):  # it has begun to compute
            threading.set_intra_op_parallelism_threads(TENSORFLOW_THREADS)
        enable_op_determinism()


def accuracy(model: keras.Model, data: Arrays, *, batch_size: int = 256) -> float:
    """Return the share of samples, in 0..1, whose highest logit is that of their class.

    Args:
        model: gives logits `[n, classes]`.
        data: x float32 `[n, ...]`, y integers `[n]`.
        batch_size: samples run at once.
    """
    x, y = data
    logits = model.predict(x, batch_size=batch_size, verbose=0)  # (n, classes)
    return float(np.mean(logits.argmax(axis=-1) == y))


def _reseed_layers(model: keras.Model, seed: int) -> None:
    """Give every random layer the state that it would have if it had just been built with this seed."""
    layers = model._flatten_layers(include_self=True, recursive=True)
    generators = [generator for layer in layers for generator in layer._seed_generators]
    for index, generator in enumerate(generators):
        generator.state.assign(np.array([seed + index, 0], generator.state.dtype))


def _learning_rate(settings: TrainingSettings, steps: int) -> Any:
    if settings.decay == "constant":
        return settings.learning_rate
    return keras.optimizers.schedules.CosineDecay(settings.learning_rate, decay_steps=steps)


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, on_progress: OnProgress, done: int, steps: int) -> None:
        super().__init__()
        self._on_progress, self._steps, self._done = on_progress, steps, done

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        del batch
        self._done += 1
        self._on_progress(self._done, self._steps, dict(logs or {}))


class _GoOnWithMetrics(keras.callbacks.Callback):  # type: ignore[misc]
    """In the first epoch, has running metrics be what they were: means over the epoch, and not over what is left."""

    def __init__(self, values: Sequence[NDArray[Any]]) -> None:
        super().__init__()
        self._values = values

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Put them where Keras has just cleared them."""
        del epoch, logs
        if self._values:
            for variable, value in zip(self.model.metrics_variables, self._values, strict=True):
                variable.assign(value)
        self._values = ()
