"""Models for the pipeline, and an ear for what it tells."""

import numpy as np
import pytest
from models_in_memory import mlp


class Heard:
    """A listener that remembers."""

    def __init__(self):
        self.tasks, self.notes = [], []

    def progress(self, task, done, total, detail=""):
        self.tasks.append((task, done, total))

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def heard():
    return Heard()


def sparse_weight(shape, *, zeros, seed):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < zeros, 0.0, rng.uniform(-1, 1, shape)).astype(np.float32)


@pytest.fixture(scope="session")
def pruned_model():
    """Float32: 64 to 96 to 10, 90 % zeros, 20 dead hidden units and one weight of -0.0."""
    first, second = sparse_weight((96, 64), zeros=0.9, seed=1), sparse_weight((10, 96), zeros=0.5, seed=2)
    second[:, 10:30] = 0.0
    first[40, 3] = -0.0
    return mlp([first, second], [np.linspace(-1, 1, 96, dtype=np.float32), np.zeros(10, np.float32)])


@pytest.fixture(scope="session")
def dense_model():
    """Float32: 16 to 4, without zeros."""
    return mlp([np.random.default_rng(3).uniform(0.5, 1, (4, 16)).astype(np.float32)])
