"""compress --check-reproducible: what does not come out the same again is not written."""

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool_converters.codec import pack

COMPRESS = ("compress", "model.tflite", "-o")
INT8 = ("--quantize", "int8", "--calibration", "data.py:samples", "--check-reproducible")
SAMPLES = """\

import numpy as np
def samples():
    return np.random.default_rng({seed}).normal(size=(8, 64)).astype(np.float32)
"""


@pytest.fixture(autouse=True)
def model(tmp_path):
    weight = np.random.default_rng(1).uniform(0.5, 1, (32, 64)).astype(np.float32)
    weight[:, 8:] = 0.0
    (tmp_path / "model.tflite").write_bytes(mlp([weight]))


@pytest.mark.parametrize("name", ["small.tflite", "small.tflz"])
def test_a_reproducible_result_is_that_of_without_the_check(sparsetool, tmp_path, name):
    assert sparsetool(*COMPRESS, f"plain-{name}").code == 0
    done = sparsetool(*COMPRESS, name, "--check-reproducible", "--json")
    assert (done.code, done.said) == (0, []), done.err
    assert (tmp_path / name).read_bytes() == (tmp_path / f"plain-{name}").read_bytes()


def test_calibration_that_is_the_same_each_time_passes(sparsetool, tmp_path):
    (tmp_path / "data.py").write_text(SAMPLES.format(seed=4))
    assert sparsetool(*COMPRESS, "small.tflite", *INT8).code == 0


@pytest.mark.parametrize("options", [(), ("--record", "record"), ("--cache-dir", "cache")])
def test_calibration_that_is_another_each_time_is_4_and_nothing_is_written(sparsetool, tmp_path, options):
    (tmp_path / "data.py").write_text(SAMPLES.format(seed="None"))
    (tmp_path / "small.tflite").write_bytes(b"of another day")
    done = sparsetool(*COMPRESS, "small.tflite", *INT8, *options, "--force", "--json")
    assert done.error(4).startswith("check-reproducible: ")
    assert done.json["fields"]["tensor"] in ("x", "y", "w0")
    assert "differs from byte " in done.json["message"]
    assert (tmp_path / "small.tflite").read_bytes() == b"of another day"
    assert not (tmp_path / "record").exists()


def test_of_several_models_each_is_made_again(sparsetool, tmp_path):
    (tmp_path / "data.py").write_text(SAMPLES.format(seed="None"))
    (tmp_path / "other.tflz").write_bytes(pack((tmp_path / "model.tflite").read_bytes()))
    several = ("compress", "model.tflite", "other.tflz", "--check-reproducible", "--json", "-o")
    assert sparsetool(*several, "same/").code == 0
    done = sparsetool(*several, "another/", *INT8)
    assert done.code == 4
    assert [failure["exit_code"] for failure in done.json["failures"]] == [4, 4]
    assert not list((tmp_path / "another").glob("*.tfl*"))
