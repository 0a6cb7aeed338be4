"""A network whose ten thousand steps take seconds: which of four corners a noisy point is nearest to."""

from typing import Any

import numpy as np

INPUTS, CLASSES = 16, 4
SAMPLES = {"train": 20_200, "validation": 64, "test": 64}  # 5,050 batches of 4


def build() -> Any:
    """1,152 weights in two kernels."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((INPUTS,)),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dense(CLASSES, use_bias=False, name="logits"),
        ],
        name="corners",
    )


def data() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Points `[n, 16]` around one corner for each class, and which."""
    rng = np.random.default_rng(5)
    corners = rng.normal(size=(CLASSES, INPUTS)).astype(np.float32)
    return {split: _points(rng, corners, count) for split, count in SAMPLES.items()}


def _points(rng: np.random.Generator, corners: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, CLASSES, count)
    return corners[labels] + rng.normal(size=(count, INPUTS)).astype(np.float32), labels
