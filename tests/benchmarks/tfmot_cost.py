"""What pruning costs in training, ours and TFMOT's 0.8.1, turn by turn in one run.

A turn is an epoch of 100 steps of the MNIST network with one refresh of masks, by `fit` and its callback; four take
turns: Keras 3 plain, Keras 3 with our Pruner, tf_keras plain, tf_keras with TFMOT. TFMOT's process waits while we run,
and we while it does. Then both refresh the mask of the network's largest kernel, from the same weights.
"""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from figures import Figure, seconds
from mnist_network import MNIST, Weights, compile_for_training, network, weights_of
from peer_environment import NoEnvironmentError
from tfmot_process import Turns, tfmot_turns

from sparsetool.prune import ConstantSparsity, Pruner

STEPS = 100  # of a turn
ROUNDS = 8  # of training
UPDATES = 15  # of each kind
BATCH_SIZE = 128
LEARNING_RATE = 1e-3
SCHEDULE = ConstantSparsity(0.8, 0, frequency=STEPS)
KERNEL = (3136, 1024)
ZEROS_BEFORE = (0.0, 0.5, 0.8)  # of the kernel whose mask is refreshed
MOST_STEP_TIME = 1.05
MOST_UPDATE_TIME = 0.1


def measure(folder: Path) -> list[Figure]:
    start = weights_of(MNIST.build())
    images, digits = (array[: STEPS * BATCH_SIZE] for array in MNIST.data["train"])
    kernel = np.random.default_rng(0).normal(size=KERNEL).astype(np.float32)
    settings = {
        "learning_rate": LEARNING_RATE,
        "batch_size": BATCH_SIZE,
        "schedule": _for_tfmot(SCHEDULE),
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    np.savez(folder / "start.npz", **start)
    for name, array in (("images", images), ("digits", digits), ("kernel", kernel)):
        np.save(folder / f"{name}.npy", array)
    try:
        with tfmot_turns(folder) as tfmot:
            return [*_step_times(start, images, digits, tfmot), *_update_times(kernel, tfmot)]
    except NoEnvironmentError as error:
        name = f"cost of pruning beside TFMOT's, not measured: {error}"
        return [Figure(name=name, value=None, unit="x", limit=MOST_STEP_TIME)]


def _step_times(start: Weights, images: Any, digits: Any, tfmot: Turns) -> Iterator[Figure]:
    plain, pruned = network(start), network(start)
    pruner = Pruner(pruned, SCHEDULE)
    pruner.plan(steps=(1 + ROUNDS) * STEPS)
    callback = pruner.callback()
    for model in (plain, pruned):
        compile_for_training(model, LEARNING_RATE)

    def fit(model: Any, callbacks: Sequence[Any] = ()) -> None:
        model.fit(images, digits, batch_size=BATCH_SIZE, epochs=1, shuffle=False, callbacks=list(callbacks), verbose=0)

    taken = _rounds(
        {
            "plain": lambda: seconds(lambda: fit(plain)),
            "ours": lambda: seconds(lambda: fit(pruned, [callback])),
            "plain tf_keras": lambda: tfmot.seconds({"turn": "plain"}),
            "TFMOT": lambda: tfmot.seconds({"turn": "pruned"}),
        },
        ROUNDS,
    )
    for name, of_round in taken.items():
        each = statistics.median(of_round) / STEPS
        yield Figure(name=f"step time, {name}", value=1000 * each, unit="ms")
    ours = _ratios(taken["ours"], taken["plain"])
    theirs = _ratios(taken["TFMOT"], taken["plain tf_keras"])
    yield _median("step time pruned over unpruned", ours, limit=MOST_STEP_TIME)
    yield _median("the same of TFMOT", theirs)
    yield _median("the first over the second", _ratios(ours, theirs), limit=1)


def _update_times(kernel: npt.NDArray[np.float32], tfmot: Turns) -> Iterator[Figure]:
    import keras

    model = keras.Sequential([keras.Input(kernel.shape[:1]), keras.layers.Dense(kernel.shape[1], use_bias=False)])
    (variable,) = model.trainable_variables
    compile_for_training(model, LEARNING_RATE)
    model.optimizer.build([variable])  # a refresh clears its state, too
    pruner = Pruner(model, SCHEDULE)

    def ours(zeros: float) -> float:
        variable.assign(kernel * (np.abs(kernel) >= np.quantile(np.abs(kernel), zeros)))
        return seconds(lambda: pruner.update(SCHEDULE.begin_step))

    for zeros in ZEROS_BEFORE:
        turns = {
            "ours": partial(ours, zeros),
            "TFMOT": partial(tfmot.seconds, {"turn": "update", "zeros": zeros}),
        }
        taken = _rounds(turns, UPDATES)
        what = f"refresh of {kernel.size:,} weights of which {zeros:.0%} are zero"
        for name, of_round in taken.items():
            yield Figure(name=f"{what}, {name}", value=1000 * statistics.median(of_round), unit="ms")
        yield _median("the first over the second", _ratios(taken["ours"], taken["TFMOT"]), limit=MOST_UPDATE_TIME)


def _rounds(turns: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each turn, by name; every other round goes backwards. A first round warms up and does not count."""
    taken: dict[str, list[float]] = {name: [] for name in turns}
    for name in turns:
        turns[name]()
    for number in range(rounds):
        for name in list(turns)[:: -1 if number % 2 else 1]:
            taken[name].append(turns[name]())
    return taken


def _ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(above, below, strict=True)]


def _median(name: str, ratios: Sequence[float], limit: float | None = None) -> Figure:
    spread = f"median of {len(ratios)} rounds, {min(ratios):.3g} to {max(ratios):.3g}"
    return Figure(name=f"{name} ({spread})", value=statistics.median(ratios), unit="x", limit=limit)


def _for_tfmot(schedule: ConstantSparsity) -> dict[str, Any]:
    """The same refreshes in TFMOT's count, where the first batch is step 1."""
    return {"type": "ConstantSparsity", **asdict(schedule), "begin_step": schedule.begin_step + 1}
