"""A network with all that has a state of its own: moving statistics and random numbers beside the weights."""

from typing import Any

import numpy as np

SIDE, CLASSES = 8, 3
SAMPLES = {"train": 500, "validation": 64, "test": 64}


def build() -> Any:
    """A convolution, batch normalization, dropout and two dense layers."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Conv2D(8, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(64, activation="relu"),
            layers.Dense(CLASSES),
        ]
    )


def data() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pictures `[n, 8, 8, 1]` in 0..1, one row of them bright, and which."""
    rng = np.random.default_rng(11)
    return {split: _pictures(rng, count) for split, count in SAMPLES.items()}


def _pictures(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, CLASSES, count)
    pictures = rng.random((count, SIDE, SIDE, 1), np.float32) * np.float32(0.6)
    pictures[np.arange(count), 2 * labels + 1] += np.float32(0.4)
    return pictures, labels.astype(np.int64)
