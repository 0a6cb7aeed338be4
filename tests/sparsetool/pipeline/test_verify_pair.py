"""Any two models, compared by running both."""

import re

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool.pipeline.verify_pair import verify_pair
from sparsetool_converters.codec import compress as pack
from sparsetool_converters.errors import CalibrationDataError, ModelFormatError, TargetError
from sparsetool_converters.passes.quantize import Quantization

WEIGHT = np.random.default_rng(3).uniform(0.5, 1, (4, 16)).astype(np.float32)
SAMPLES = np.random.default_rng(4).random((8, 64), np.float32)


@pytest.fixture
def written(tmp_path):
    def write(data, name="model.tflite"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_a_model_is_identical_to_itself_on_every_kernel_set(written, dense_model):
    path = written(dense_model)
    record = verify_pair(path, path)
    assert [(o.kernel_set, o.output, o.identical) for o in record.outputs] == [
        (kernels, "y", True) for kernels in ("default", "no-delegates", "reference")
    ]
    assert (record.notes, record.findings) == ((), ())
    assert (record.verdict, record.exit_code) == ("pass", 0)
    assert [run.ended for run in record.runs] == 6 * ["finished"]


def test_a_packed_encoded_model_answers_as_its_source(written, pruned_model, heard):
    small = convert(pruned_model, Settings(), where="model", listener=heard).result
    record = verify_pair(written(pruned_model), written(pack(small), "small.tflite.zst"))
    assert all(o.relative_error <= 1e-5 for o in record.outputs)


@pytest.mark.parametrize("mode", ["float16", "dynamic", "int8"])
def test_a_quantized_model_is_compared_by_signal_to_noise(written, pruned_model, heard, mode):
    settings = Settings(quantize=Quantization(mode))
    converted = convert(pruned_model, settings, calibration=SAMPLES, where="model", listener=heard)
    source, small = written(pruned_model), written(converted.result, "small.tflite")
    record = verify_pair(source, small, samples=SAMPLES)
    assert all(o.sqnr_db is not None and o.sqnr_db > 10.0 for o in record.outputs)


def test_a_tolerance_is_a_share_of_the_largest_value(written):
    one, other = written(mlp([WEIGHT])), written(mlp([WEIGHT * 1.01]), "other.tflite")
    record = verify_pair(one, other)
    assert (record.verdict, record.exit_code) == ("fail", 4)
    problems = [f.problem for f in record.findings if f.kind == "output"]
    assert len(problems) == 3
    assert all(re.search(r"error .* is 0\.01 of the largest value", problem) for problem in problems)
    record = verify_pair(one, other, tolerance=0.011)
    assert (record.verdict, record.exit_code) == ("pass", 0)
    assert all(0.009 < o.relative_error < 0.011 for o in record.outputs)


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (mlp([WEIGHT[:2]]), r"structure: y: output 0 is y \[1, 2\] FLOAT32 instead of y \[1, 4\] FLOAT32"),
        (mlp([WEIGHT[:, :8]]), r"structure: x: input 0 is x \[1, 8\] FLOAT32 instead of x \[1, 16\] FLOAT32"),
        (mlp([-WEIGHT]), r"output: y: error"),
    ],
    ids=["outputs", "inputs", "weights"],
)
def test_two_different_models_are_told_apart(written, dense_model, other, problem):
    record = verify_pair(written(dense_model), written(other, "other.tflite"))
    assert (record.verdict, record.exit_code) == ("fail", 4)
    assert any(re.match(problem, str(finding)) for finding in record.findings)


def test_a_candidate_that_crashes_the_runtime_fails(models):
    weight = np.ones((512, 256), np.float32)
    reference, crashing = models.fully_connected(weight), models.blocks_of_four_rows(weight)
    record = verify_pair(reference, crashing)
    assert (record.verdict, record.exit_code) == ("fail", 4)
    assert "the model crashed with SIGSEGV" in record.findings[0].problem
    assert [o.kernel_set for o in record.outputs if o.identical] == ["reference"]


def test_a_reference_that_crashes_as_stored_is_run_with_dense_weights(models):
    weight = np.ones((512, 256), np.float32)
    record = verify_pair(models.blocks_of_four_rows(weight), models.fully_connected(weight))
    assert [(o.kernel_set, o.identical) for o in record.outputs] == [
        (kernels, True) for kernels in ("default", "no-delegates", "reference")
    ]
    assert (record.verdict, record.findings) == ("pass", ())
    assert record.notes[0].startswith("the reference is run with dense weights, since as stored it is no reference")


def test_a_reference_that_runs_nowhere_is_what_the_target_cannot_run(models):
    path = models.custom_op()
    with pytest.raises(TargetError, match="Unheard"):
        verify_pair(path, path)


def test_samples_that_do_not_fit_are_refused(written, dense_model):
    path = written(dense_model)
    with pytest.raises(CalibrationDataError, match=r"got \[2, 3\]"):
        verify_pair(path, path, samples=np.zeros((2, 3)))


def test_what_is_no_model_is_refused_by_its_name(written, dense_model):
    path, empty = written(dense_model), written(b"", "empty.tflite")
    for pair in ((path, empty), (empty, path)):
        with pytest.raises(ModelFormatError, match=f"^{empty}: is empty"):
            verify_pair(*pair)
