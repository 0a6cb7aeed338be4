"""The recurrent reference model, loaded by its path as sparsetool loads it."""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sparsetool.recipe import load_recipe
from sparsetool_converters.errors import UsageError
from sparsetool_converters.model import Model

FOLDER = Path(__file__).parents[2] / "models" / "vowels_gru"
SHARES = {"train": 225, "validation": 45, "test": 370}
LONGEST = {"train": 26, "validation": 25, "test": 29}
# of the standardized, padded recordings rounded to 1/1000 as int16, train, validation, test
ALL_RECORDINGS_SHA256 = "b9ad2ba6c7f28da4c17462c6c52355997718122079d95dd15ad43615a18acd61"


@pytest.fixture(scope="module")
def vowels():
    spec = importlib.util.spec_from_file_location("vowels_gru_model", FOLDER / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(vowels):
    try:
        return vowels.data()
    except UsageError as error:
        pytest.skip(f"needs JapaneseVowels: {error}")


def test_importing_it_brings_in_no_keras():
    code = f"import sys, runpy; runpy.run_path({str(FOLDER / 'model.py')!r}); sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_data_are_the_published_recordings_split_in_three(data):
    sha256 = hashlib.sha256()
    for name, (x, y) in data.items():
        assert (x.shape, x.dtype) == ((SHARES[name], 29, 12), np.float32)
        assert (y.shape, y.dtype, set(y)) == ((len(x),), np.int32, set(range(9)))
        sha256.update(np.rint(x.astype(float) * 1000).astype("<i2").tobytes() + y.astype("<i4").tobytes())
    assert tuple(data) == tuple(SHARES)
    assert sha256.hexdigest() == ALL_RECORDINGS_SHA256


@pytest.mark.slow
def test_each_speaker_has_as_many_recordings_in_training_as_any_other(data):
    assert set(np.bincount(data["train"][1])) == {25}
    assert set(np.bincount(data["validation"][1])) == {5}


@pytest.mark.slow
def test_recordings_end_at_the_last_step_and_are_padded_in_front_with_the_mean(data):
    for name, (x, _) in data.items():
        heard = np.any(x != 0, axis=2)  # (n, 29)
        lengths = heard.sum(axis=1)
        assert np.array_equal(heard, np.arange(29) >= 29 - lengths[:, None])
        assert (lengths.min() >= 7, lengths.max()) == (True, LONGEST[name])
    x = data["train"][0]
    steps = x[np.any(x != 0, axis=2)]
    assert np.allclose(steps.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(steps.std(axis=0), 1, atol=1e-5)


def test_without_cache_and_network_the_one_error_names_the_package(vowels, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(UsageError, match=r"^aeon==1\.6\.0: pip cannot bring it: "):
        vowels.data()


@pytest.mark.keras
@pytest.mark.slow
def test_the_network_becomes_a_file_of_the_stock_runtime_that_holds_each_weight_once(vowels):
    from sparsetool.export import export_model

    network = vowels.build()
    assert network.count_params() == 120_393
    assert (network.input_shape, network.output_shape) == ((None, 29, 12), (None, 9))
    model = Model.from_bytes(export_model(network))
    assert len(model.subgraphs) == 1
    assert not [operator.name for _, operator in model.operators() if operator.code.fields.customCode]
    weights = {op.inputs[1] for _, op in model.operators() if op.name == "FULLY_CONNECTED"}
    assert sorted(weight.shape for weight in weights) == [(9, 192), (576, 12), (576, 192)]


def test_every_artifact_of_the_recipe_is_held_to_the_accuracy_of_the_dense_network():
    dense, *others = load_recipe(FOLDER / "recipe.toml").artifacts
    assert dense.checkpoint == "dense"
    assert {(artifact.compared_with, artifact.max_drop) for artifact in others} == {("dense", 0.02)}
