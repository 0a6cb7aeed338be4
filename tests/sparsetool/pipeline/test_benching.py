"""Two models in, a record out."""

import hashlib

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.pipeline.benching import bench_files, bench_models
from sparsetool_converters.codec import pack
from sparsetool_converters.errors import ModelFormatError, UsageError


@pytest.fixture(scope="module")
def dense() -> bytes:
    return mlp([np.random.default_rng(1).random((64, 32), np.float32)])


def test_the_record_says_what_ran_where_and_decides_four_quantities(tmp_path, dense):
    (tmp_path / "dense.tflite").write_bytes(dense)
    (tmp_path / "small.tflz").write_bytes(pack(dense))
    record = bench_files(
        tmp_path / "dense.tflite", tmp_path / "small.tflz", kernel_set="reference", threads=1, time_s=1.0
    )
    assert (record.reference.name, record.candidate.name) == ("dense.tflite", "small.tflz")
    assert (record.kernel_set, record.threads) == ("reference", 1)
    assert record.runtime.startswith("ai-edge-litert 2.")
    assert [ratio.quantity for ratio in record.ratios] == ["load_ms", "first_ms", "steady_ms", "resident_bytes"]
    for ratio in record.ratios:
        assert 0 < ratio.low <= ratio.ratio <= ratio.high
        assert ratio.rounds >= 10
    for model in (record.reference, record.candidate):
        assert (model.sha256, model.disk_bytes) == (hashlib.sha256(dense).hexdigest(), len(dense))
        assert model.load_ms.count == model.resident_bytes.count == record.ratios[0].rounds
        assert model.steady_ms.low <= model.steady_ms.median <= model.steady_ms.high
    assert [model.operators for model in (record.reference, record.candidate)] == [(), ()]
    assert all("does not run the reference kernels" in note for note in record.notes)
    assert len(record.notes) == 2
    assert record.sparse[0] == "dense.tflite: no weight is stored sparse, so dense kernels run all of them."


def test_an_unknown_kernel_set_is_refused_before_anything_runs(dense):
    with pytest.raises(UsageError, match="kernel set 'micro' is not known; known kernel sets: default, no-delegates"):
        bench_models(dense, dense, names=("a", "b"), kernel_set="micro")


def test_what_is_no_model_is_refused_by_name(dense):
    with pytest.raises(ModelFormatError, match=r"^b: "):
        bench_models(dense, b"nothing", names=("a", "b"))
