"""Batches in an order that does not depend on what a process did before, so that training can begin at any step."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sparsetool.prune.errors import PruningError
from sparsetool.prune.torch_generator import generator_state, set_generator_state


class ShuffledBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled batches for `fit_batches` or a loop of your own, on every Keras backend.

    Step s is batch `s % steps_per_epoch` of epoch `s // steps_per_epoch`, and the samples are shuffled anew for each
    epoch. With 5 samples, batches of 2 and seed 0:

        step                  0     1     2   |  3     4     5
        samples of the batch  3 2   1 0   4   |  4 1   2 0   3

    Given to `model.fit` as it is, it yields the same epoch again and again; `fit_batches` turns the page.

    Args:
        data: what Keras trains on, (x, y) or (x, y, sample_weight), each an array `[n, ...]` or a list, tuple or
            dictionary of such arrays.
        batch_size: samples in a batch; what is left over of an epoch makes a smaller last batch.
        seed: of the shuffling.

    Attributes:
        steps_per_epoch: batches in an epoch.

    Raises:
        PruningError: arrays without samples or of different lengths, a batch size below 1, or a negative seed.
    """

    def __init__(self, data: tuple[Any, ...], *, batch_size: int, seed: int = 0) -> None:
        super().__init__()
        lengths = {len(array) for array in keras.tree.flatten(data)}
        if len(lengths) != 1 or 0 in lengths:
            raise PruningError("data", f"must be arrays of the same number of samples; got {sorted(lengths)}")
        if batch_size < 1:
            raise PruningError("batch_size", f"must be 1 or more; got {batch_size}")
        if seed < 0:
            raise PruningError("seed", f"must be 0 or more; got {seed}")
        self._data, self._batch_size, self._seed = data, batch_size, seed
        self._samples: int = lengths.pop()
        self.steps_per_epoch = -(-self._samples // batch_size)
        self._first_step = 0  # the one that has index 0
        self._ordered: tuple[int, NDArray[np.intp]] = 0, shuffled(self._samples, seed, 0)

    def batch(self, step: int) -> tuple[Any, ...]:
        """Return the batch of this step, counted from the beginning of training."""
        epoch, index = divmod(step, self.steps_per_epoch)
        known, order = self._ordered
        if known != epoch:
            order = shuffled(self._samples, self._seed, epoch)
            self._ordered = epoch, order  # in one assignment, since Keras reads from a thread of its own
        rows = order[index * self._batch_size : (index + 1) * self._batch_size]
        picked: tuple[Any, ...] = keras.tree.map_structure(lambda array: array[rows], self._data)
        return picked

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return a batch of the epoch that is being trained."""
        return self.batch(self._first_step + index)

    def __len__(self) -> int:
        """Batches of the epoch that is being trained, without those before the step that it begins at."""
        return self.steps_per_epoch - self._first_step % self.steps_per_epoch

    def begin(self, step: int) -> None:
        """Let index 0 be the batch of this step, and the epoch end where it always does."""
        self._first_step = step


def shuffled(samples: int, seed: int, epoch: int) -> NDArray[np.intp]:
    """Return the numbers 0 to samples - 1 in an order that depends on these arguments only.

    It comes from the raw output of PCG64, which numpy promises to leave as it is (NEP 19), unlike `permutation`.
    """
    return np.argsort(np.random.PCG64([seed, epoch]).random_raw(samples), kind="stable")


def fit_batches(
    model: keras.Model,
    batches: ShuffledBatches,
    *,
    epochs: int,
    first_step: int = 0,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> keras.callbacks.History:
    """Do what `model.fit` does, from any step on.

    Callbacks see one training: it begins once and ends once, epochs have the numbers they would have had, and batches
    are counted from where an epoch is begun. Metrics of an epoch that is begun in the middle are over the rest of it.

    Args:
        model: a compiled model.
        batches: the data.
        epochs: passes over the data, those before `first_step` included.
        first_step: batches that were trained on before, by this process or another.
        callbacks: as for `fit`.

    Returns:
        The history of the epochs that this call trained on.

    Raises:
        PruningError: there are not so many steps.
    """
    steps = epochs * batches.steps_per_epoch
    if not 0 <= first_step <= steps:
        raise PruningError("first_step", f"must be in 0..{steps}, the length of training; got {first_step}")
    seen = _OneTraining([_NextEpoch(batches), *callbacks], add_history=True, model=model)
    epoch, done = divmod(first_step, batches.steps_per_epoch)
    seen.set_params({"epochs": epochs, "steps": batches.steps_per_epoch, "verbose": 0})
    seen.begin()
    model.stop_training = False
    if first_step == steps:
        model.optimizer.finalize_variable_values(model.trainable_weights)  # the last thing that fit does
    elif done:
        _finish_epoch(model, batches, epoch, epochs, first_step, seen)
        epoch += 1
    if epoch < epochs and not model.stop_training:
        batches.begin(epoch * batches.steps_per_epoch)
        _fit(model, batches, epoch, epochs, seen)
    seen.end()
    return model.history


def _finish_epoch(
    model: keras.Model, batches: ShuffledBatches, epoch: int, epochs: int, first_step: int, seen: "_OneTraining"
) -> None:
    """Train on the rest of an epoch: in a `fit` of its own, since all epochs of one have the same length."""
    batches.begin(first_step)
    seen.set_params({**seen.params, "steps": len(batches)})
    seen.remembers = True
    _fit(model, batches, epoch, epoch + 1, seen)
    seen.remembers = False
    seen.set_params({**seen.params, "steps": batches.steps_per_epoch})
    if epoch + 1 < epochs and not model.stop_training:  # fit has ended by putting averages for weights, if it has any
        for variable, weights in zip(model.trainable_variables, seen.weights, strict=True):
            variable.assign(weights)


def _fit(model: keras.Model, batches: ShuffledBatches, epoch: int, epochs: int, seen: "_OneTraining") -> None:
    model.fit(batches, initial_epoch=epoch, epochs=epochs, shuffle=False, callbacks=seen, verbose=0)


class _NextEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Has batches be those of the epoch that begins; to the data themselves Keras announces more than it trains on.

    Between epochs it also hides that Keras draws a random number for each look at the data on torch.
    """

    def __init__(self, batches: ShuffledBatches) -> None:
        super().__init__()
        self._batches = batches

    def on_train_begin(self, logs: Any = None) -> None:
        del logs
        self._random = generator_state()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        del logs
        if len(self._batches) == self._batches.steps_per_epoch:  # else it is begun in the middle already
            self._batches.begin(epoch * self._batches.steps_per_epoch)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        del logs
        if batch == 0:
            set_generator_state(self._random)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        del epoch, logs
        self._random = generator_state()


class _OneTraining(keras.callbacks.CallbackList):  # type: ignore[misc]
    """Callbacks for which two calls of `fit` are one training.

    Attributes:
        remembers: whether `weights` is to be kept up to date.
        weights: what the trainable variables were at the end of the last epoch.
    """

    remembers = False
    weights: Sequence[NDArray[Any]] = ()

    def begin(self) -> None:
        super().on_train_begin()

    def end(self) -> None:
        super().on_train_end()

    def on_train_begin(self, logs: Any = None) -> None:
        """Hide that a call of `fit` begins."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self.remembers:
            self.weights = [np.array(keras.ops.convert_to_numpy(v)) for v in self.model.trainable_variables]

    def on_train_end(self, logs: Any = None) -> None:
        """Hide that a call of `fit` ends."""
