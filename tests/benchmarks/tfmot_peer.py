"""TFMOT's side of the comparisons: a program for an environment of its own, which knows nothing of sparsetool.

    bin/python -I tfmot_peer.py masks FOLDER    masks of the cases in FOLDER
    bin/python -I tfmot_peer.py train FOLDER    the MNIST network, pruned as FOLDER says
    bin/python -I tfmot_peer.py turns FOLDER    a line of JSON in for each turn, the seconds that it took out

Everything else that it is given, and that it gives, lies in FOLDER as JSON and .npz. Without arguments it loads TFMOT
and does nothing more.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's notes about this machine
tf: Any = importlib.import_module("tensorflow")
keras: Any = importlib.import_module("tf_keras")
sparsity: Any = importlib.import_module("tensorflow_model_optimization").sparsity.keras
INSIDE = "tensorflow_model_optimization.python.core.sparsity.keras"
pruning_impl: Any = importlib.import_module(f"{INSIDE}.pruning_impl")
pruning_utils: Any = importlib.import_module(f"{INSIDE}.pruning_utils")


def masks(folder: Path) -> None:
    """Prune each case's weights step by step, each step from what the one before left and a drift of all weights.

    Reads `cases.json`, a list of {schedule, block_size, block_pooling_type, steps, looked_at}, and `weights.npz`, for
    case i first_i and drift_i. Writes `masks.npz`: kept_i and tied_i, booleans `[steps, *shape]` in packed bits, where
    tied are the weights whose score is the threshold itself; due_i, whether masks would be refreshed at each of the
    steps 0..looked_at - 1; and compiled_i, how many elements of all masks are others when TensorFlow compiles the same.
    """
    found = {}
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    with np.load(folder / "weights.npz") as arrays:
        for i, case in enumerate(cases):
            schedule = _schedule(case["schedule"])
            kept, tied, compiled = _pruned(arrays[f"first_{i}"], arrays[f"drift_{i}"], schedule, case)
            found |= {f"kept_{i}": np.packbits(kept), f"tied_{i}": np.packbits(tied), f"compiled_{i}": compiled}
            found[f"due_{i}"] = schedule(tf.range(case["looked_at"], dtype=tf.int64))[0].numpy()
    np.savez(folder / "masks.npz", **found)


def _pruned(first: Any, drift: Any, schedule: Any, case: dict[str, Any]) -> tuple[Any, Any, int]:
    weights, mask = tf.Variable(first), tf.Variable(np.ones_like(first))
    threshold, step = tf.Variable(0.0), tf.Variable(0, dtype=tf.int64)
    pruning = pruning_impl.Pruning(
        lambda: step, [(weights, mask, threshold)], schedule, case["block_size"], case["block_pooling_type"]
    )
    compiled_update = tf.function(pruning.conditional_mask_update)
    kept, tied, compiled = [], [], 0
    for now in case["steps"]:
        step.assign(now)
        compiled_update()
        compiled_mask = mask.numpy()
        pruning.conditional_mask_update()
        compiled += np.count_nonzero(mask.numpy() != compiled_mask)
        kept.append(mask.numpy().astype(np.bool_))
        tied.append(_scores(weights, case).numpy() == threshold.numpy())
        weights.assign((weights.numpy() + drift) * mask.numpy())
    return np.stack(kept), np.stack(tied), compiled


def _scores(weights: Any, case: dict[str, Any]) -> Any:
    """What TFMOT compares with its threshold, for each weight."""
    if case["block_size"] == [1, 1]:
        return tf.math.abs(weights)
    pooled = pruning_utils.factorized_pool(
        tf.math.abs(weights), case["block_size"], case["block_pooling_type"], case["block_size"], "SAME"
    )
    return pruning_utils.expand_tensor(pooled, case["block_size"])


def train(folder: Path) -> None:
    """Prune the MNIST network while it trains on the images in the order given, as one epoch.

    Reads `settings.json`, {seed, batch_size, learning_rate, decay_steps, schedule}; `images.npy` and `digits.npy`;
    `order.npy`, the numbers of those to train on; `start.npz`, the weights to begin with as LAYER/i. Writes `end.npz`:
    the weights after stripping, and as "logits" those of the first batch before training.
    """
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    keras.utils.set_random_seed(settings["seed"])
    order = np.load(folder / "order.npy")
    images, digits = (np.load(folder / f"{name}.npy")[order] for name in ("images", "digits"))
    network = _network(folder / "start.npz")
    size = settings["batch_size"]
    logits = network.predict(images[:size], batch_size=size, verbose=0)
    pruned = sparsity.prune_low_magnitude(network, pruning_schedule=_schedule(settings["schedule"]))
    _compile(pruned, keras.optimizers.schedules.CosineDecay(settings["learning_rate"], settings["decay_steps"]))
    callbacks = [sparsity.UpdatePruningStep()]
    pruned.fit(images, digits, batch_size=size, epochs=1, shuffle=False, callbacks=callbacks, verbose=0)
    stripped = sparsity.strip_pruning(pruned)
    weights = {f"{layer.name}/{i}": w for layer in stripped.layers for i, w in enumerate(layer.get_weights())}
    np.savez(folder / "end.npz", logits=logits, **weights)


def turns(folder: Path) -> None:
    """Take a turn whenever a line comes in: {"turn": "plain"} or "pruned" trains a step, "update" refreshes a mask.

    Reads `settings.json`, {learning_rate, batch_size, schedule}; `images.npy` and `digits.npy`, of which "step" names
    the batch; `start.npz` as `train`; `kernel.npy`, whose mask is refreshed, "zeros" of it being zero before.
    """
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    images, digits = np.load(folder / "images.npy"), np.load(folder / "digits.npy")
    plain = _network(folder / "start.npz")
    schedule = _schedule(settings["schedule"])
    pruned = sparsity.prune_low_magnitude(_network(folder / "start.npz"), pruning_schedule=schedule)
    for network in (plain, pruned):
        _compile(network, settings["learning_rate"])
    callback = sparsity.UpdatePruningStep()
    callback.set_model(pruned)
    callback.on_train_begin()
    update, set_kernel = _mask_update(np.load(folder / "kernel.npy"), schedule)

    def train(network: Any, step: int) -> None:
        batch = slice(step * settings["batch_size"], (step + 1) * settings["batch_size"])
        network.train_on_batch(images[batch], digits[batch])

    for line in sys.stdin:
        order = json.loads(line)
        if order["turn"] == "update":
            set_kernel(order["zeros"])
        start = time.perf_counter()
        if order["turn"] == "update":
            update()
        else:
            train(plain if order["turn"] == "plain" else pruned, order["step"])
        sys.stdout.write(f"{time.perf_counter() - start}\n")
        sys.stdout.flush()


def _mask_update(kernel: Any, schedule: Any) -> tuple[Any, Any]:
    """What TFMOT does at a step that refreshes the mask of one kernel, compiled as in training; and how to set it."""
    weights, mask, threshold = tf.Variable(kernel), tf.Variable(np.ones_like(kernel)), tf.Variable(0.0)
    step = tf.Variable(schedule.begin_step, dtype=tf.int64)
    pruning = pruning_impl.Pruning(lambda: step, [(weights, mask, threshold)], schedule, (1, 1), "AVG")

    @tf.function
    def update() -> None:
        with tf.control_dependencies([pruning.conditional_mask_update()]):
            pruning.weight_mask_op()

    def set_kernel(zeros: float) -> None:
        kept = np.abs(kernel) >= np.quantile(np.abs(kernel), zeros)
        weights.assign(kernel * kept)
        mask.assign(kept.astype(kernel.dtype))

    return update, set_kernel


def _network(start: Path) -> Any:
    """The same network as models/mnist_cnn/model.py, with the weights given."""
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Conv2D(32, 5, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.BatchNormalization(name="norm1"),
            layers.Conv2D(64, 5, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(1024, activation="relu", name="hidden"),
            layers.Dropout(0.4, name="dropout"),
            layers.Dense(10, name="logits"),
        ],
        name="mnist_cnn",
    )
    with np.load(start) as weights:
        for layer in network.layers:
            layer.set_weights([weights[f"{layer.name}/{i}"] for i in range(len(layer.get_weights()))])
    return network


def _compile(network: Any, learning_rate: Any) -> None:
    network.compile(keras.optimizers.Adam(learning_rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))


def _schedule(written: dict[str, Any]) -> Any:
    """A schedule from {"type": its name, and its arguments}."""
    arguments = dict(written)
    return getattr(sparsity, arguments.pop("type"))(**arguments)


def main(command: str | None = None, folder: str = "") -> None:
    if command is not None:
        {"masks": masks, "train": train, "turns": turns}[command](Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
