"""Watch a pruner, and keep what is needed to draw what it did."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sparsetool.prune.allocation import to_numpy
from sparsetool.prune.errors import PruningError
from sparsetool.prune.masks import keep_mask
from sparsetool.prune.pruner import Pruner
from sparsetool.prune.structures import Block
from sparsetool.report.pruning_record import (
    Corner,
    Metrics,
    Numbers,
    PruningRecord,
    RecordedVariable,
    Refresh,
    corner_of,
)

MOST_REFRESHES, MOST_METRICS, MOST_MASKS = 2048, 1024, 64
EXAMPLES = {"1x1": Block((1, 1)), "1x2": Block((1, 2))}  # of the announcement of pruning in TensorFlow, May 2019

T = TypeVar("T")


class PruningRecorder:
    """Remembers each refresh of a pruner from now on, in bounded memory.

    Of large tensors it keeps a corner, of many refreshes every second, every fourth and so on, and always the last.

    Args:
        pruner: its schedule must be in plain steps; its weights are taken for those before pruning.
        steps: batches of the whole run.
        steps_per_epoch: batches of an epoch.

    Raises:
        PruningError: the schedule is not in plain steps.
    """

    def __init__(self, pruner: Pruner, *, steps: int, steps_per_epoch: int) -> None:
        self._pruner, self._steps, self._steps_per_epoch = pruner, steps, steps_per_epoch
        self._refreshes: _Thinned[Refresh] = _Thinned(MOST_REFRESHES)
        self._metrics: _Thinned[Metrics] = _Thinned(MOST_METRICS)
        self._masks: _Thinned[tuple[int, list[NDArray[np.uint8]]]] = _Thinned(MOST_MASKS)
        chosen = pruner.selection.pruned
        before = [choice.layout.to_tflite(to_numpy(choice.variable)) for choice in chosen]  # [out, ..., in]
        self._weights = [corner_of(weights) for weights in before]
        targets = [choice.target_sparsity for choice in chosen]
        self._examples = [
            _examples(weights, pruner.schedule.target if target is None else target)
            for weights, target in zip(before, targets, strict=True)
        ]
        pruner.observers.append(self._on_refresh)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Remember loss and metrics after so many steps."""
        known = {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
        self._metrics.add(Metrics(step=step, values=known))

    def record(self) -> PruningRecord:
        """Return what was seen so far."""
        masks = self._masks.items()
        return PruningRecord(
            numbers=Numbers(
                model=self._pruner.model.name,
                schedule=str(self._pruner.schedule),
                steps=self._steps,
                steps_per_epoch=self._steps_per_epoch,
                variables=tuple(
                    RecordedVariable(
                        variable=measured.variable,
                        shape=choice.layout.tflite_shape,
                        weights=measured.weights,
                        target_zeros=measured.target_zeros,
                    )
                    for measured, choice in zip(self._pruner.report(), self._pruner.selection.pruned, strict=True)
                ),
                refreshes=tuple(self._refreshes.items()),
                metrics=tuple(self._metrics.items()),
                mask_steps=tuple(step for step, _ in masks),
                examples=tuple(EXAMPLES),
            ),
            corners=tuple(
                Corner(
                    weights=weights.astype(np.float32),
                    masks=_unpacked([packed[index] for _, packed in masks], weights.shape),
                    examples=self._examples[index],
                )
                for index, weights in enumerate(self._weights)
            ),
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """What was seen so far, for a recorder of the same pruner to go on from; the same gives the same bytes."""
        series = {
            "refreshes": self._refreshes.state(asdict),
            "metrics": self._metrics.state(asdict),
            "masks": self._masks.state(lambda item: item[0]),
        }
        arrays = {"series": np.frombuffer(json.dumps(series).encode(), np.uint8)}
        for step, corners in self._masks.items():
            arrays |= {f"{step}/{index}": corner for index, corner in enumerate(corners)}
        return arrays

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what another recorder of the same pruner had seen.

        Raises:
            PruningError: there was none, so the record would lack its beginning.
        """
        if not state:
            raise PruningError(
                "state", "was saved without a recorder; train on without one, or begin again to have all recorded"
            )
        series = json.loads(state["series"].tobytes())
        count = len(self._weights)

        def masks(step: int) -> tuple[int, list[NDArray[np.uint8]]]:
            return step, [state[f"{step}/{index}"] for index in range(count)]

        self._refreshes.restore(series["refreshes"], lambda item: Refresh(**{**item, "zeros": tuple(item["zeros"])}))
        self._metrics.restore(series["metrics"], lambda item: Metrics(**item))
        self._masks.restore(series["masks"], masks)

    def _on_refresh(self, step: int, pruner: Pruner) -> None:
        zeros = tuple(measured.zeros for measured in pruner.report())
        self._refreshes.add(Refresh(step=step, asked=float(pruner.schedule.sparsity(step)), zeros=zeros))
        corners = [
            corner_of(choice.layout.to_tflite(mask.numpy()))
            for choice, mask in zip(pruner.selection.pruned, pruner.masks, strict=True)
        ]
        self._masks.add((step, [np.packbits(corner, axis=-1) for corner in corners]))


class _Thinned(Generic[T]):
    """At most so many items of a series of any length, and the last: all, then every second, every fourth."""

    def __init__(self, most: int) -> None:
        self._most, self._every, self._count = most, 1, 0
        self._kept: list[T] = []
        self._last: T | None = None

    def add(self, item: T) -> None:
        if self._count % self._every == 0:
            self._kept.append(item)
            if len(self._kept) > self._most:
                self._kept, self._every = self._kept[::2], 2 * self._every
        self._last, self._count = item, self._count + 1

    def items(self) -> list[T]:
        if self._last is None or (self._count - 1) % self._every == 0:
            return list(self._kept)
        return [*self._kept, self._last]

    def state(self, plain: Callable[[T], Any]) -> dict[str, Any]:
        return {"every": self._every, "count": self._count, "items": [plain(item) for item in self.items()]}

    def restore(self, state: Mapping[str, Any], made: Callable[[Any], T]) -> None:
        self._every, self._count = state["every"], state["count"]
        items = [made(item) for item in state["items"]]
        self._last = items[-1] if items else None
        self._kept = items[: -(-self._count // self._every)]  # of which the last may not be one


def _examples(weights: NDArray[np.floating], sparsity: float) -> dict[str, NDArray[np.bool_]]:
    found = {}
    for name, structure in EXAMPLES.items():
        try:
            found[name] = corner_of(keep_mask(np.abs(weights), sparsity, structure))
        except PruningError:  # a shape that this block does not divide
            continue
    return found


def _unpacked(masks: list[NDArray[np.uint8]], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if not masks:
        return np.ones((0, *shape), np.bool_)
    return np.unpackbits(np.stack(masks), axis=-1, count=shape[-1]).astype(np.bool_)
