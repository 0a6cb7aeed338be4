"""The callback that keeps `model.fit` to a pruning schedule."""

from typing import Any

import keras

from sparsetool.prune.pruner import Pruner
from sparsetool.prune.schedule_check import check_schedule, schedule_in_steps
from sparsetool.prune.schedules import last_due_step


class PruningCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Refreshes masks before the batches that the schedule names.

    Steps are counted from the first batch that this callback sees, across epochs and calls of `fit`. With
    `steps_per_execution` above 1, a refresh that is due inside a group of batches waits for the next group.

    Args:
        pruner: holds the masks and the schedule.
    """

    def __init__(self, pruner: Pruner) -> None:
        super().__init__()
        self.pruner = pruner
        self._steps_done = 0
        self._epoch_start = 0
        self._steps_seen = 0  # of these, every refresh that was due has been made

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Refuse a schedule that this training cannot fulfil.

        Raises:
            PruningError: in the planned number of steps, no refresh is due, or none that reaches the target.
        """
        del logs
        per_epoch = self.params.get("steps")  # None where the data does not tell
        length = {"steps_per_epoch": per_epoch, "steps_per_execution": self.model.steps_per_execution}
        steps = per_epoch and self._steps_done + self.params["epochs"] * per_epoch
        self.pruner.schedule = schedule_in_steps(self.pruner.schedule, steps=steps, **length)
        if steps:
            check_schedule(self.pruner.schedule, steps, **length)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note where the epoch starts, since Keras counts batches within it."""
        del epoch, logs
        self._epoch_start = self._steps_done

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Refresh masks if that is due at this step, or was at one since the last group of batches began."""
        del logs
        step = self._epoch_start + batch
        due = last_due_step(self.pruner.schedule, self._steps_seen, step)
        if due is not None:
            self.pruner.update(due)
        self._steps_seen = step + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the batches that are done."""
        del logs
        steps = self.params.get("steps") or batch + 1
        self._steps_done = self._epoch_start + min(batch + 1, steps)  # batch overshoots in a last, smaller group

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Zero pruned weights again, since an optimizer that averages weights has just replaced them."""
        del logs
        self.pruner.apply()
