"""Trains on whatever backend Keras is set to, whole and broken off; prints a hash of variables and record of each."""

import hashlib
import sys
from pathlib import Path

import keras
import numpy as np

from sparsetool import prune
from sparsetool.report.pruning_record import record_files


class BrokenOffError(Exception):
    pass


def build():
    keras.utils.set_random_seed(7)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(4, name="logits"),
        ],
        name="network",
    )


def train(state, stops):
    random = np.random.default_rng(3)
    y = random.integers(0, 4, 203)
    x = random.random((203, 8, 8, 1), np.float32)
    stops = list(stops)

    def on_progress(done, steps, metrics):
        if metrics and stops and done >= stops[0]:
            stops.pop(0)
            raise BrokenOffError

    settings = prune.TrainingSettings(epochs=3, batch_size=20, decay="cosine", save_every_steps=3)
    while True:
        model = build()
        pruner = prune.Pruner(model, prune.PolynomialDecay(0.2, 0.8, 5, 25, frequency=5))
        pruner.plan(steps=33, steps_per_epoch=11)
        recorder = prune.PruningRecorder(pruner, steps=33, steps_per_epoch=11)
        try:
            prune.train(model, (x, y), settings, pruner=pruner, on_progress=on_progress, state=state, recorder=recorder)
        except BrokenOffError:
            continue
        pruner.check()
        values = [keras.ops.convert_to_numpy(v) for v in (*model.variables, *model.optimizer.variables)]
        record = recorder.record()
        assert [metrics.step for metrics in record.numbers.metrics] == list(range(1, 34))
        parts = [*(np.ascontiguousarray(value).tobytes() for value in values), *record_files(record).values()]
        return hashlib.sha256(b"".join(parts)).hexdigest()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    hashes = train(folder / "whole", []), train(folder / "broken", [1, 13, 22, 29])
    sys.stdout.write(" ".join((keras.backend.backend(), *hashes)))
