"""Models that others published: compressed and verified, nothing lost on the way."""

import numpy as np
import pytest
from command_line import run

from sparsetool_converters.model import Model

SAMPLES = 2
INPUTS = {"hand_landmark_full.tflite": (224, 224, 3), "okay_nabu.tflite": (3, 40)}


@pytest.fixture
def prepared(published_model, tmp_path):
    """A published model, and samples for it."""

    def prepare(name):
        source = published_model(name)
        rng = np.random.default_rng(5)
        if name == "okay_nabu.tflite":
            samples = rng.integers(-128, 128, (SAMPLES, *INPUTS[name]), np.int8)
        else:
            samples = rng.random((SAMPLES, *INPUTS[name]), np.float32)
        np.save(tmp_path / "samples.npy", samples)
        return source

    return prepare


@pytest.mark.slow
@pytest.mark.parametrize(("name", "smaller"), [("hand_landmark_full.tflite", True), ("okay_nabu.tflite", False)])
def test_a_compressed_model_answers_as_the_original_on_every_kernel_set(prepared, tmp_path, name, smaller):
    source = prepared(name)
    original = source.read_bytes()
    done = run(tmp_path, "compress", source, "-o", "small.tflite", "--samples", "samples.npy", "--json")
    assert done.code == 0, done.err
    record, written = done.json, (tmp_path / "small.tflite").read_bytes()
    assert record["sizes"]["disk"] == len(written)
    assert (written != original) == smaller
    assert (len(written) < len(original)) == smaller

    verified = run(tmp_path, "verify", source, "small.tflite", "--samples", "samples.npy", "--json")
    assert verified.code == 0, verified.err
    outputs = verified.json["outputs"]
    assert {output["kernel_set"] for output in outputs} == {"default", "no-delegates", "reference"}
    assert all(output["identical"] or output["relative_error"] <= 1e-5 for output in outputs)
    assert {output["samples"] for output in outputs} == {SAMPLES}


@pytest.mark.slow
def test_a_model_of_float16_weights_can_be_quantized_and_keeps_its_metadata(prepared, tmp_path):
    source = prepared("hand_landmark_full.tflite")
    options = ("--quantize", "dynamic", "--samples", "samples.npy")
    done = run(tmp_path, "compress", source, "-o", "small.tflite", *options)
    assert done.code == 0, done.err
    wanted, found = (Model.from_bytes(path.read_bytes()) for path in (source, tmp_path / "small.tflite"))
    metadata = [[(m.fields.name, bytes(m.buffer.data)) for m in model.metadata] for model in (wanted, found)]
    assert metadata[0] == metadata[1] != []


@pytest.mark.parametrize("mode", ["float16", "dynamic", "int8"])
def test_quantizing_a_quantized_model_verifies_or_says_why_in_one_line(prepared, tmp_path, mode):
    source = prepared("okay_nabu.tflite")
    options = ("--quantize", mode, "--calibration", "samples.npy")
    done = run(tmp_path, "compress", source, "-o", "small.tflite", *options)
    if done.code == 0:
        assert (tmp_path / "small.tflite").stat().st_size <= source.stat().st_size
    else:
        assert done.error(done.code)
        assert done.code in (4, 5, 6)
        assert not (tmp_path / "small.tflite").exists()
