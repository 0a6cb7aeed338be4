"""What pruning costs in training, ours and TFMOT's 0.8.1, turn by turn in one run.

A turn is one step of the MNIST network; four take turns: Keras 3 plain, Keras 3 with our Pruner, tf_keras plain,
tf_keras with TFMOT. Of every 100 steps one refreshes masks. TFMOT's process waits while we run, and we while it does,
so that a busy machine slows all four. The time of each of the 100 steps is its median over the rounds, which leaves
the refresh in its place and other work of the machine out; their mean is the step time.

Then both refresh the mask of the network's largest kernel, from the same weights: from weights without zeros, and, for
information, from weights that have many, which TFMOT sorts in half the time.
"""

import json
import statistics
from collections.abc import Callable, Iterator, Mapping
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

STEPS = 100  # of a round
ROUNDS = 8  # of training
UPDATES = 15  # of each kind
WARM_UP = 20  # steps that do not count
BATCH_SIZE = 128
LEARNING_RATE = 1e-3
SCHEDULE = ConstantSparsity(0.8, 0, frequency=STEPS)  # refreshes masks once in a round
KERNEL = (3136, 1024)
MOST_STEP_TIME = 1.05
MOST_UPDATE_TIME = 0.1
ZEROS_BEFORE = {0.0: MOST_UPDATE_TIME, 0.5: None, 0.8: None}  # of the kernel whose mask is refreshed; the limits


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
    for model in (plain, pruned):
        compile_for_training(model, LEARNING_RATE)

    def train(model: Any, before: Callable[[], object], step: int) -> float:
        batch = slice(step % STEPS * BATCH_SIZE, (step % STEPS + 1) * BATCH_SIZE)
        return seconds(lambda: (before(), model.train_on_batch(images[batch], digits[batch])))

    turns = {
        "plain": partial(train, plain, lambda: None),
        "ours": partial(train, pruned, pruner.step),
        "plain tf_keras": lambda step: tfmot.seconds({"turn": "plain", "step": step % STEPS}),
        "TFMOT": lambda step: tfmot.seconds({"turn": "pruned", "step": step % STEPS}),
    }
    taken = {
        name: np.reshape(steps, (ROUNDS, STEPS))
        for name, steps in _in_turn(turns, ROUNDS * STEPS, warm_up=WARM_UP).items()
    }
    typical = {name: float(np.median(steps, axis=0).mean()) for name, steps in taken.items()}
    for name, step_s in typical.items():
        yield Figure(name=f"step time, {name}", value=1000 * step_s, unit="ms")
    ours, theirs = typical["ours"] / typical["plain"], typical["TFMOT"] / typical["plain tf_keras"]
    spread = _spread(taken["ours"].mean(axis=1) / taken["plain"].mean(axis=1))
    yield Figure(name=f"step time pruned over unpruned ({spread})", value=ours, unit="x", limit=MOST_STEP_TIME)
    spread = _spread(taken["TFMOT"].mean(axis=1) / taken["plain tf_keras"].mean(axis=1))
    yield Figure(name=f"the same of TFMOT ({spread})", value=theirs, unit="x")
    yield Figure(name="the first over the second", value=ours / theirs, unit="x", limit=1)


def _update_times(kernel: npt.NDArray[np.float32], tfmot: Turns) -> Iterator[Figure]:
    import keras

    model = keras.Sequential([keras.Input(kernel.shape[:1]), keras.layers.Dense(kernel.shape[1], use_bias=False)])
    (variable,) = model.trainable_variables
    compile_for_training(model, LEARNING_RATE)
    model.optimizer.build([variable])  # a refresh clears its state, too
    pruner = Pruner(model, SCHEDULE)

    def ours(zeros: float, number: int) -> float:
        del number
        variable.assign(kernel * (np.abs(kernel) >= np.quantile(np.abs(kernel), zeros)))
        return seconds(lambda: pruner.update(SCHEDULE.begin_step))

    def theirs(zeros: float, number: int) -> float:
        del number
        return tfmot.seconds({"turn": "update", "zeros": zeros})

    for zeros, limit in ZEROS_BEFORE.items():
        taken = _in_turn({"ours": partial(ours, zeros), "TFMOT": partial(theirs, zeros)}, UPDATES, warm_up=1)
        what = f"refresh of {kernel.size:,} weights of which {zeros:.0%} are zero"
        for name, updates in taken.items():
            yield Figure(name=f"{what}, {name}", value=1000 * statistics.median(updates), unit="ms")
        ratios = np.divide(taken["ours"], taken["TFMOT"])
        name = f"the first over the second ({_spread(ratios)})"
        yield Figure(name=name, value=float(np.median(ratios)), unit="x", limit=limit)


def _in_turn(turns: Mapping[str, Callable[[int], float]], count: int, *, warm_up: int) -> dict[str, list[float]]:
    """Seconds of so many turns of each, which are told their number; every other time they go backwards."""
    taken: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(warm_up + count):
        for name in list(turns)[:: -1 if number % 2 else 1]:
            taken[name].append(turns[name](number))
    return {name: of_all[warm_up:] for name, of_all in taken.items()}


def _spread(ratios: npt.NDArray[np.floating]) -> str:
    return f"{len(ratios)} rounds, single ones {ratios.min():.3g} to {ratios.max():.3g}"


def _for_tfmot(schedule: ConstantSparsity) -> dict[str, Any]:
    """The same refreshes in TFMOT's count, where the first batch is step 1."""
    return {"type": "ConstantSparsity", **asdict(schedule), "begin_step": schedule.begin_step + 1}
