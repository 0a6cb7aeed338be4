"""A network that learns in a second: three stripes of an 8x8 picture, told apart under noise."""

from typing import Any

import numpy as np

SIDE, CLASSES = 8, 3
SAMPLES = {"train": 512, "validation": 64, "test": 200}


def build() -> Any:
    """A convolution and two dense layers, so that every stage of a conversion has something to do."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(CLASSES),
        ]
    )


def data() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pictures `[n, 8, 8, 1]` in 0..1, one row of them bright, and which; one label in twenty is wrong."""
    rng = np.random.default_rng(11)
    return {split: _pictures(rng, count) for split, count in SAMPLES.items()}


def _pictures(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, CLASSES, count)
    pictures = rng.random((count, SIDE, SIDE, 1), np.float32) * np.float32(0.6)
    pictures[np.arange(count), 2 * labels + 1] += np.float32(0.4)
    wrong = rng.random(count) < 0.05
    return pictures, np.where(wrong, (labels + 1) % CLASSES, labels).astype(np.int64)
