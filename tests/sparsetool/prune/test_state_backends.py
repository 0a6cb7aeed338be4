"""Training goes on with the same bits on every backend of Keras, which only a process of its own can have."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.keras, pytest.mark.slow]


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_training_that_is_broken_off_ends_with_the_same_bits(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    finished = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("resumed_training.py")), str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    name, whole, broken = finished.stdout.split()
    assert name == backend
    assert whole == broken
