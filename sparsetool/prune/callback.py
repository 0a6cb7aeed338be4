"""The callback that keeps `model.fit` to a pruning schedule."""

from typing import Any

import keras

from sparsetool.prune.pruner import Pruner


class PruningCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Refreshes masks before the batches that the schedule names.

    Steps are counted from the first batch that the pruner sees, across epochs and calls of `fit`. With
    `steps_per_execution` above 1, a refresh that is due inside a group of batches waits for the next group.

    Args:
        pruner: holds the masks and the schedule.
    """

    def __init__(self, pruner: Pruner) -> None:
        super().__init__()
        self.pruner = pruner
        self._epoch_start = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Fit the schedule to this training, unless `Pruner.plan` has done so, and refuse one that cannot be kept.

        Raises:
            PruningError: in the planned number of steps, no refresh is due, or none that reaches the target; or a
                schedule relative to a length that the data do not tell.
        """
        del logs
        if not self.pruner.planned:
            per_epoch = self.params.get("steps")  # None where the data does not tell
            self.pruner.plan(
                steps=per_epoch and self.pruner.steps_done + self.params["epochs"] * per_epoch,
                steps_per_epoch=per_epoch,
                steps_per_execution=self.model.steps_per_execution,
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note where the epoch starts, since Keras counts batches within it."""
        del epoch, logs
        self._epoch_start = self.pruner.steps_done

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Refresh masks if that is due at this step, or was at one since the last group of batches began."""
        del logs
        self.pruner.steps_done = self._epoch_start + batch
        self.pruner.refresh()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the batches that are done."""
        del logs
        steps = self.params.get("steps") or batch + 1
        self.pruner.steps_done = self._epoch_start + min(batch + 1, steps)  # batch overshoots in a last, smaller group

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Clear what the optimizer keeps of pruned weights, which a callback after this one may save or swap in."""
        del epoch, logs
        self.pruner.apply()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Zero pruned weights again, since an optimizer that averages weights has just replaced them."""
        del logs
        self.pruner.apply()
