"""A recurrent network that tells nine speakers by the vowels they say, and JapaneseVowels to train it on.

Each recording is what 12 cepstral coefficients do while somebody says two vowels, 7 to 29 steps long (Kudo, Toyama
and Shimbo, Multidimensional curve classification using passing-through regions, Pattern Recognition Letters 20, 1999).
The package aeon ships it; `package_files` brings it from the package index and checks it by SHA-256.

The runtime's form of a loop is what makes this model: Keras writes a loop over time as a WHILE over TensorFlow's own
list operators, which the stock TFLite runtime does not have, so the GRU is unrolled, and an unrolled one needs a
fixed length. Recordings are therefore padded in front, where the network has heard nothing yet: the last step is the
last one of the recording, and no mask is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sparsetool.package_index import package_files

if TYPE_CHECKING:
    import keras

PACKAGE = "aeon==1.6.0"
FOLDER = "aeon/datasets/data/JapaneseVowels"
FILES = {
    f"{FOLDER}/JapaneseVowels_TRAIN.ts": "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
    f"{FOLDER}/JapaneseVowels_TEST.ts": "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
}
STEPS, COEFFICIENTS, SPEAKERS = 29, 12, 9
VALIDATION_EVERY = 6  # the last of each six of a speaker's 30 recordings for training

Recordings = tuple[list[NDArray[np.float64]], NDArray[np.int32]]  # each [steps, 12], speakers 0..8 [n]


def build() -> keras.Model:
    """Return the untrained network: recordings `[n, 29, 12]` to logits `[n, 9]`, 120,393 parameters."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((STEPS, COEFFICIENTS), name="cepstra"),
            layers.GaussianNoise(0.3, name="noise"),
            layers.SpatialDropout1D(0.2, name="coefficients"),  # as GRU(dropout=0.2), whose seed the file would keep
            layers.GRU(192, unroll=True, name="gru"),
            layers.Dropout(0.5, name="dropout"),
            layers.Dense(SPEAKERS, name="logits"),
        ],
        name="vowels_gru",
    )


def data() -> dict[str, tuple[NDArray[np.float32], NDArray[np.int32]]]:
    """Return 225 recordings to train, 45 to validate and 370 to test on, as they were published.

    Returns:
        For "train", "validation" and "test": coefficients float32 `[n, 29, 12]`, each with mean 0 and deviation 1 over
        the recordings for training, and 0 before a recording begins; speakers int32 `[n]`, 0..8.

    Raises:
        UsageError: the package cannot be had.
    """
    (known, speakers), test = (_read(path) for path in package_files(PACKAGE, FILES))
    held_out = np.arange(len(known)) % VALIDATION_EVERY == VALIDATION_EVERY - 1
    steps = np.concatenate([known[i] for i in np.flatnonzero(~held_out)])
    mean, deviation = steps.mean(axis=0), steps.std(axis=0)
    x = _padded(known, mean, deviation)
    return {
        "train": (x[~held_out], speakers[~held_out]),
        "validation": (x[held_out], speakers[held_out]),
        "test": (_padded(test[0], mean, deviation), test[1]),
    }


def _read(path: Path) -> Recordings:
    """Read a .ts file: behind `@data` a line for each recording, `1.86,1.89,...:-0.20,...:9`.

    Between the colons stand the coefficients, each at all steps, and last the speaker from 1 on.
    """
    _, _, body = path.read_text("utf-8").partition("@data\n")
    rows = [line.split(":") for line in body.splitlines()]
    recordings = [np.array([row.split(",") for row in rows_of], float).T for *rows_of, _ in rows]
    return recordings, np.array([int(row[-1]) - 1 for row in rows], np.int32)


def _padded(
    recordings: list[NDArray[np.float64]], mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> NDArray[np.float32]:
    x = np.zeros((len(recordings), STEPS, COEFFICIENTS), np.float32)
    for padded, recording in zip(x, recordings, strict=True):
        padded[STEPS - len(recording) :] = (recording - mean) / deviation
    return x
