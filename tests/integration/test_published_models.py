"""Models that others published: compressed and verified, nothing lost on the way."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from command_line import run

from sparsetool.verify import ALL_KERNEL_SETS, IDENTICAL, compare_runs, run_on_kernel_sets
from sparsetool_converters.costs import Objective
from sparsetool_converters.model import Model
from sparsetool_converters.passes import Densify, EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.samples import RandomSamples, fit_samples
from sparsetool_converters.targets import LITERT

LIST_PATH = Path(__file__).parents[1] / "published" / "models.toml"
PUBLISHED = [entry["name"] for entry in tomllib.loads(LIST_PATH.read_text(encoding="utf-8"))["model"]]
TARGETS = ("litert", "portable")
SPARSE = "face_detection_full_range_sparse.tflite"
NOT_AT_ITS_OWN_SHAPE = "melspectrogram.tflite"  # its own input of [1, 1] is too short for its first convolution
LENGTH = 1280  # of an input that takes any
TIMEOUT_S = 120
SAMPLES = 2
INPUTS = {
    "face_detection_full_range_sparse.tflite": (192, 192, 3),
    "hand_landmark_full.tflite": (224, 224, 3),
    "okay_nabu.tflite": (3, 40),
}


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
    assert all(output["identical"] or output["relative_error"] <= 1e-4 for output in outputs)
    assert {output["samples"] for output in outputs} == {SAMPLES}


@pytest.mark.slow
def test_dead_channels_of_the_hand_model_are_counted_and_go(published_model, tmp_path):
    source = published_model("hand_landmark_full.tflite")
    inspected = run(tmp_path, "inspect", source, "--json")
    dead = inspected.json["dead"]
    assert dead["channels"] > 2600
    assert dead["payload_bytes"] > 2_000_000
    done = run(tmp_path, "compress", source, "-o", "small.tflite", "--json")
    assert done.code == 0, done.err
    assert (tmp_path / "small.tflite").stat().st_size <= 3_400_000


@pytest.mark.slow
def test_a_model_of_float16_weights_can_be_quantized_and_keeps_its_metadata(prepared, tmp_path):
    source = prepared("face_detection_full_range_sparse.tflite")
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


@pytest.fixture
def any_model(published_model, tmp_path):
    """Path of a published model, and of one sample for it that every kernel set can run."""

    def prepare(name):
        source = published_model(name)
        infos = [tensor.info() for tensor in Model.from_bytes(source.read_bytes()).subgraphs[0].inputs]
        arrays = {}
        for position, info in enumerate(infos):
            shape = [LENGTH if size == -1 else size for size in info.shape_signature[1:]]
            if info.shape == (1, *shape):
                arrays[info.name] = fit_samples(RandomSamples(n_samples=1), infos)[position]
            else:
                arrays[info.name] = np.random.default_rng(5).random((1, 1, *shape), np.float32)
        np.savez(tmp_path / "samples.npz", **arrays)
        return source, arrays

    return prepare


def runs(folder, data, samples):
    path = folder / "run.tflite"
    path.write_bytes(data)
    return run_on_kernel_sets(path, samples, timeout_s=TIMEOUT_S)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_model_saved_unchanged_answers_alike_on_every_kernel_set(any_model, tmp_path, name):
    source, samples = any_model(name)
    original = source.read_bytes()
    before, after = runs(tmp_path, original, samples), runs(tmp_path, Model.from_bytes(original).to_bytes(), samples)
    verified = compare_runs(before, after, tolerance=IDENTICAL, stage="save")
    assert {str(c.kernel_set) for c in verified.comparisons} >= {"default"}


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", PUBLISHED)
def test_compressing_verifies_or_says_why_in_one_line(any_model, tmp_path, name, target):
    source, _ = any_model(name)
    options = ("--target", target, "--samples", "samples.npz", "--json")
    done = run(tmp_path, "compress", source, "-o", "small.tflite", *options)
    if done.code != 0:
        assert done.error(done.code)
        assert done.code in (4, 5, 6)
        assert not (tmp_path / "small.tflite").exists()
        return
    written = (tmp_path / "small.tflite").read_bytes()
    assert done.json["sizes"]["disk"] == len(written)
    if target == "litert":
        assert len(written) <= source.stat().st_size
    else:
        assert not any(t.is_sparse for graph in Model.from_bytes(written).subgraphs for t in graph.tensors)
    if written != source.read_bytes():
        assert run(tmp_path, "verify", source, "small.tflite", "--samples", "samples.npz").code == 0


def test_a_model_that_runs_at_no_shape_of_its_own_is_refused_in_one_line(published_model, tmp_path):
    source = published_model(NOT_AT_ITS_OWN_SHAPE)
    line = run(tmp_path, "compress", source, "-o", "small.tflite").error(6)
    assert line.startswith("target litert: the reference model runs on no kernel set (default: failed at allocate")
    assert not (tmp_path / "small.tflite").exists()


@pytest.mark.slow
def test_the_sparse_model_comes_back_no_larger_after_it_was_dense(any_model, tmp_path):
    source, samples = any_model(SPARSE)
    original = source.read_bytes()
    model = Model.from_bytes(original)
    assert Densify()(model)
    dense = model.to_bytes()
    EncodeSparse(make_plan(model, LITERT))(model)
    again = model.to_bytes()
    assert len(again) <= len(original) < len(dense)
    expected = runs(tmp_path, original, samples)
    for data in (dense, again):
        verified = compare_runs(expected, runs(tmp_path, data, samples), tolerance=IDENTICAL, stage="inverse")
        assert {c.kernel_set for c in verified.comparisons} == set(ALL_KERNEL_SETS)


@pytest.mark.parametrize("objective", Objective)
def test_a_plan_tells_what_each_choice_costs_for_every_weight(published_model, objective):
    model = Model.from_bytes(published_model(SPARSE).read_bytes())
    Densify()(model)
    plan = make_plan(model, LITERT, objective)
    assert all(d.choices[0].disk_bytes == d.dense_bytes for d in plan.decisions)
    # all of its weights are float16, which have to be unpacked
    assert bool(plan.encoded()) == (objective is Objective.DISK)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("okay_nabu.tflite", ""),
        ("hey_jarvis.tflite", ""),
        ("hand_landmark_full.tflite", "tflm runs no DEQUANTIZE with FLOAT16"),
        ("star_trek_activation_phrase_v2.tflite", "tflm has no operator REDUCE_PROD"),
    ],
)
def test_each_model_runs_on_the_micro_runtime_or_is_refused_by_operator_and_type(
    published_model, tmp_path, name, refused
):
    pytest.importorskip("tflite_micro")
    done = run(tmp_path, "compress", published_model(name), "-o", "small.tflite", "--target", "tflm", "--json")
    if refused:
        assert refused in done.error(6)
        assert not (tmp_path / "small.tflite").exists()
    else:
        assert done.code == 0, done.err
        assert [o["identical"] for o in done.json["outputs"] if o["stage"] == "micro runtime"] == [True]
