"""The accuracy of the MNIST network pruned by us and by TFMOT 0.8.1, side by side from the same weights.

Each seed is trained dense once. From there both prune with the same schedule, optimizer, and images in the same order;
only their dropout differs. The learning rate falls to 0, else chance in the last steps would drown what is compared.
TFMOT counts the first batch as step 1 and we as step 0, so its schedule begins and ends a step later: both refresh
masks before the same batches. Ours measures the accuracy of both.

Each finished training is kept in `tfmot-accuracy` under the cache folder, where a killed run goes on; a training counts
only for the code, versions and settings that it was made with.
"""

import hashlib
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from figures import Figure
from finished_runs import FinishedRuns
from mnist_network import MNIST, Weights, compile_for_training, network, weights_of
from peer_environment import NoEnvironmentError, cache_folder
from tfmot_process import INSTALLED, run_tfmot

from sparsetool.pipeline.versions import installed_versions, source_digest
from sparsetool.prune import PolynomialDecay, Pruner, accuracy

SEEDS = (0, 1, 2)
SPARSITIES = (0.80, 0.90, 0.95)
DENSE_EPOCHS = 1.0
EPOCHS = 3.0  # of pruning; after half as many, single runs still differ by 0.3 points by chance
END_STEP = 800  # of the 1,289 steps that these are
BATCH_SIZE = 128
LEARNING_RATE = 1e-3
LEAST_POINTS = -0.10
SAME_LOGITS = 1e-3  # what two Keras may differ by for the same weights and images
SAME_SPARSITY = 1e-3


def measure(folder: Path) -> list[Figure]:
    kept = cache_folder() / "tfmot-accuracy"
    runs = FinishedRuns(kept / "runs.jsonl")
    images, digits = MNIST.data["train"]
    np.save(folder / "images.npy", images)
    np.save(folder / "digits.npy", digits)
    points: dict[float, list[float]] = {sparsity: [] for sparsity in SPARSITIES}
    figures = []
    try:
        for seed in SEEDS:
            start = _dense(runs, kept / f"dense-{seed}.npz", seed)
            for sparsity in SPARSITIES:
                ours, theirs = (run(runs, start, seed, sparsity, folder) for run in (_ours, _theirs))
                points[sparsity].append(100 * (ours - theirs))
                name = f"seed {seed}, {sparsity:.0%} zeros: {100 * ours:.2f} % by us, {100 * theirs:.2f} % by TFMOT"
                figures.append(Figure(name=name, value=points[sparsity][-1], unit="points"))
    except NoEnvironmentError as error:
        name = f"accuracy over TFMOT's, not measured: {error}"
        return [Figure(name=name, value=None, unit="points", least=LEAST_POINTS)]
    figures += [_mean(f"{sparsity:.0%} zeros", points[sparsity]) for sparsity in SPARSITIES]
    everything = [value for values in points.values() for value in values]
    return [*figures, _mean("all", everything, least=LEAST_POINTS)]


def _mean(what: str, points: Sequence[float], least: float | None = None) -> Figure:
    spread = f"{min(points):+.2f} to {max(points):+.2f}, standard deviation {statistics.stdev(points):.2f}"
    name = f"{what}: mean of our accuracy over TFMOT's in {len(points)} pairs ({spread})"
    return Figure(name=name, value=statistics.mean(points), unit="points", least=least)


def _dense(runs: FinishedRuns, path: Path, seed: int) -> Weights:
    """The weights that both begin with."""
    inputs = _inputs("dense", seed) | {"epochs": DENSE_EPOCHS, "versions": installed_versions("tensorflow", "keras")}
    found = runs.find(inputs)
    if found is None or not path.is_file() or _digest(path) != found["weights"]:
        import keras

        keras.utils.set_random_seed(seed)
        model = MNIST.build()
        _fit(model, _order(seed, DENSE_EPOCHS), [])
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **weights_of(model))
        found = {"weights": _digest(path), "accuracy": accuracy(model, MNIST.data["test"])}
        runs.add(inputs, found)
        keras.utils.clear_session()
    sys.stderr.write(f"seed {seed}, dense: {found['accuracy']:.2%}\n")
    with np.load(path) as weights:
        return dict(weights)


def _ours(runs: FinishedRuns, start: Weights, seed: int, sparsity: float, folder: Path) -> float:
    del folder

    def train() -> Weights:
        import keras

        keras.utils.set_random_seed(seed)
        model = network(start)
        pruner = Pruner(model, PolynomialDecay(**_schedule(sparsity)))
        _fit(model, _order(seed, EPOCHS), [pruner.callback()])
        pruner.strip()
        return weights_of(model)

    versions = installed_versions("tensorflow", "keras") | {"sparsetool.prune": source_digest("sparsetool.prune")}
    return _accuracy(runs, "ours", versions, start, seed, sparsity, train)


def _theirs(runs: FinishedRuns, start: Weights, seed: int, sparsity: float, folder: Path) -> float:
    def train() -> Weights:
        schedule, order = _schedule(sparsity), _order(seed, EPOCHS)
        later = {name: schedule[name] + 1 for name in ("begin_step", "end_step")}
        settings = {
            "seed": seed,
            "batch_size": BATCH_SIZE,
            "learning_rate": LEARNING_RATE,
            "decay_steps": len(order) // BATCH_SIZE,
            "schedule": {"type": "PolynomialDecay", **schedule, **later},
        }
        (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        np.save(folder / "order.npy", order)
        np.savez(folder / "start.npz", **start)
        run_tfmot("train", folder)
        with np.load(folder / "end.npz") as end:
            weights = dict(end)
        logits = network(start).predict(MNIST.data["train"][0][order[:BATCH_SIZE]], batch_size=BATCH_SIZE, verbose=0)
        apart = float(np.abs(weights.pop("logits") - logits).max())
        assert apart < SAME_LOGITS, f"TFMOT began with another network: its logits are {apart} from ours"
        return weights

    return _accuracy(runs, "TFMOT", list(INSTALLED), start, seed, sparsity, train)


def _accuracy(
    runs: FinishedRuns, side: str, versions: Any, start: Weights, seed: int, sparsity: float, train: Any
) -> float:
    """Of the test images, for the weights that `train` returns unless such a run is finished already."""
    digest = hashlib.sha256(b"".join(array.tobytes() for array in start.values())).hexdigest()
    asked = {"epochs": EPOCHS, "schedule": _schedule(sparsity), "start": digest, "versions": versions}
    inputs = _inputs(side, seed) | asked
    found = runs.find(inputs)
    if found is None:
        import keras

        weights = train()
        kernels = [array for array in weights.values() if array.ndim > 1]
        zeros = 1 - sum(np.count_nonzero(array) for array in kernels) / sum(array.size for array in kernels)
        assert abs(zeros - sparsity) < SAME_SPARSITY, f"{side}: {zeros} of the weights are zero"
        found = {"accuracy": accuracy(network(weights), MNIST.data["test"]), "zeros": zeros}
        runs.add(inputs, found)
        keras.utils.clear_session()
    percent = 100 * found["accuracy"]
    sys.stderr.write(f"seed {seed}, {sparsity:.0%} zeros, {side}: {percent:.2f} %, {found['zeros']:.4%} zeros\n")
    return float(found["accuracy"])


def _inputs(side: str, seed: int) -> dict[str, Any]:
    return {"side": side, "seed": seed, "batch_size": BATCH_SIZE, "learning_rate": LEARNING_RATE, "decay": "cosine"}


def _schedule(sparsity: float) -> dict[str, Any]:
    return {
        "initial_sparsity": 0.5,
        "final_sparsity": sparsity,
        "begin_step": 0,
        "end_step": END_STEP,
        "frequency": 100,
    }


def _order(seed: int, epochs: float) -> npt.NDArray[np.int64]:
    """Which image comes when: all of them, then all of them in another order, in whole batches."""
    count = len(MNIST.data["train"][0])
    rng = np.random.default_rng([seed, round(1000 * epochs)])
    steps = round(epochs * count / BATCH_SIZE)
    passes = -(-steps * BATCH_SIZE // count)
    return np.concatenate([rng.permutation(count) for _ in range(passes)])[: steps * BATCH_SIZE]


def _fit(model: Any, order: npt.NDArray[np.int64], callbacks: list[Any]) -> None:
    """Train on these images as one epoch."""
    images, digits = (array[order] for array in MNIST.data["train"])
    compile_for_training(model, LEARNING_RATE, decay_steps=len(order) // BATCH_SIZE)
    model.fit(images, digits, batch_size=BATCH_SIZE, epochs=1, shuffle=False, callbacks=callbacks, verbose=0)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
