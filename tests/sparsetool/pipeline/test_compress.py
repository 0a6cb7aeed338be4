"""A model file in, a smaller verified one out; and the destination untouched by whatever goes wrong."""

import numpy as np
import pytest

from sparsetool.budget import Budget, Budgets
from sparsetool.pipeline.compress import check_written, compress
from sparsetool.pipeline.conversion import Settings
from sparsetool.pipeline.formats import Format
from sparsetool.pipeline.size_gate import SizeGate
from sparsetool.pipeline.unpack import unpack
from sparsetool_converters import codec
from sparsetool_converters.errors import (
    BudgetExceededError,
    CalibrationDataError,
    ModelFormatError,
    OutputError,
    TargetError,
    UsageError,
    VerificationError,
)
from sparsetool_converters.model import Buffer, Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.passes.quantize import Quantization

SAMPLES = np.random.default_rng(4).random((8, 64), np.float32)


@pytest.fixture
def source(tmp_path, pruned_model):
    path = tmp_path / "model.tflite"
    path.write_bytes(pruned_model)
    return path


@pytest.fixture
def destination(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    return folder / "small.tflite"


@pytest.fixture
def untouched(destination):
    """What the folder of the destination holds must stay as it is."""
    destination.write_bytes(b"result of another day")
    yield
    assert [p.name for p in destination.parent.iterdir()] == [destination.name]
    assert destination.read_bytes() == b"result of another day"


def test_the_record_has_the_sizes_of_the_file_that_is_written(source, destination):
    record = compress(source, destination)
    data = destination.read_bytes()
    assert (record.name, record.sizes.disk, record.sizes.wire) == ("small.tflite", len(data), len(codec.pack(data)))
    assert record.stages[0].disk_bytes == source.stat().st_size
    assert record.stages[-1].disk_bytes == len(data) < source.stat().st_size
    assert any(tensor.encoded for tensor in record.tensors)
    assert Model.from_bytes(data)


@pytest.mark.parametrize(("name", "unpacked"), [("small.tflz", codec.unpack), ("small.tflite.zst", codec.decompress)])
def test_the_packed_file_holds_exactly_the_verified_model(source, destination, name, unpacked):
    packed = destination.with_name(name)
    record = compress(source, packed, Settings(encode=False))
    assert len(unpacked(packed.read_bytes())) == record.sizes.disk == record.stages[-1].disk_bytes
    assert record.sizes.wire == packed.stat().st_size


def test_a_model_with_nothing_to_do_is_copied(tmp_path, destination, dense_model):
    source = tmp_path / "dense.tflite"
    source.write_bytes(dense_model)
    compress(source, destination)
    assert destination.read_bytes() == dense_model


def test_force_replaces_the_destination_even_if_it_is_the_source(source):
    before = source.read_bytes()
    compress(source, source, force=True)
    assert len(source.read_bytes()) < len(before)


def test_calibration_samples_serve_verification_too(source, destination):
    record = compress(source, destination, Settings(quantize=Quantization.INT8), calibration=SAMPLES)
    assert {output.samples for output in record.outputs} == {8}


@pytest.mark.usefixtures("untouched")
class TestNothingIsWritten:
    def test_if_the_destination_exists(self, source, destination):
        with pytest.raises(OutputError, match="--force"):
            compress(source, destination)

    @pytest.mark.parametrize("name", ["small.bin", "small", "small.tflite.gz", "small.keras"])
    def test_if_the_destination_has_no_model_s_name(self, source, destination, name):
        with pytest.raises(
            UsageError, match=r"name the output \.tflite for the runtime, \.tflz for the packed file, or"
        ):
            compress(source, destination.with_name(name))

    @pytest.mark.parametrize("budget", [Budget(disk=100), Budget(wire=100)])
    def test_if_the_budget_is_exceeded(self, source, destination, dense_model, budget):
        source.write_bytes(dense_model)
        with pytest.raises(BudgetExceededError, match=r"over the budget of 100$"):
            compress(source, destination, gate=SizeGate(budgets=Budgets(every=budget)), force=True)

    def test_if_int8_has_no_calibration_data(self, source, destination):
        with pytest.raises(CalibrationDataError):
            compress(source, destination, Settings(quantize=Quantization.INT8), force=True)

    def test_if_calibration_data_has_another_shape(self, source, destination):
        settings = Settings(quantize=Quantization.INT8)
        with pytest.raises(CalibrationDataError, match=r"takes samples of shape .* got \[8, 63\]"):
            compress(source, destination, settings, calibration=SAMPLES[:, 1:], force=True)

    def test_if_samples_have_another_shape(self, source, destination):
        with pytest.raises(CalibrationDataError):
            compress(source, destination, samples=SAMPLES[:, 1:], force=True)

    def test_if_the_source_is_no_model(self, source, destination):
        source.write_bytes(source.read_bytes()[:500])
        with pytest.raises(ModelFormatError, match=str(source)):
            compress(source, destination, force=True)

    def test_if_the_target_cannot_run_the_source(self, models, destination):
        with pytest.raises(TargetError, match="Unheard"):
            compress(models.custom_op(), destination, force=True)

    def test_if_a_run_takes_too_long(self, models, destination):
        with pytest.raises(VerificationError, match="did not end within 1 s"):
            compress(models.endless(), destination, force=True, timeout_s=1.0)

    def test_if_a_stage_is_wrong(self, source, destination, monkeypatch):
        right = EncodeSparse.__call__

        def wrong(self, model):
            changes = right(self, model)
            weight = next(t for t in model.subgraphs[0].tensors if t.is_sparse)
            data = weight.buffer.data.copy()
            data[0] ^= 1
            weight.buffer = Buffer(data)
            return changes

        monkeypatch.setattr(EncodeSparse, "__call__", wrong)
        with pytest.raises(VerificationError, match=r"^encode: w0: 1 of .* values differ") as caught:
            compress(source, destination, force=True)
        assert (caught.value.stage, caught.value.tensor) == ("encode", "w0")


@pytest.mark.parametrize(
    ("written", "pack"), [(Format.TFLITE, bytes), (Format.TFLZ, codec.pack), (Format.ZST, codec.compress)]
)
def test_a_file_that_does_not_hold_the_verified_bytes_is_found(tmp_path, dense_model, written, pack):
    path = tmp_path / "model"
    content = dense_model[:-1] + bytes([dense_model[-1] ^ 1])
    for stored, right in ((dense_model, True), (content, False)):
        path.write_bytes(pack(stored))
        if right:
            check_written(path, dense_model, written)
        else:
            with pytest.raises(VerificationError, match="pack: the file on disk does not hold the bytes"):
                check_written(path, dense_model, written)


class TestUnpack:
    @pytest.fixture(params=["model.tflz", "model.tflite.zst"])
    def packed(self, request, tmp_path, dense_model):
        path = tmp_path / request.param
        path.write_bytes((codec.pack if request.param == "model.tflz" else codec.compress)(dense_model))
        return path

    def test_gives_the_bytes_that_were_packed(self, packed, destination, dense_model):
        assert unpack(packed, destination) == len(dense_model)
        assert destination.read_bytes() == dense_model

    def test_wants_a_packed_file(self, source, destination):
        with pytest.raises(UsageError, match=r"a packed model ends in \.tflz or \.zst"):
            unpack(source, destination)

    def test_writes_nothing_if_the_destination_exists(self, packed, destination, untouched):
        with pytest.raises(OutputError):
            unpack(packed, destination)

    @pytest.mark.parametrize("content", [b"", b"\x89PNG", b"TFLZ", b"\x28\xb5\x2f\xfd"])
    def test_writes_nothing_if_nothing_packed_is_inside(self, packed, destination, untouched, content):
        packed.write_bytes(content)
        with pytest.raises(ModelFormatError, match=str(packed)):
            unpack(packed, destination, force=True)

    @pytest.mark.parametrize("content", [b"", b"no model at all"])
    def test_writes_nothing_if_a_frame_holds_no_model(self, tmp_path, destination, untouched, content):
        path = tmp_path / "model.tflite.zst"
        path.write_bytes(codec.compress(content))
        with pytest.raises(ModelFormatError, match=str(path)):
            unpack(path, destination, force=True)

    def test_gives_back_whatever_was_packed_as_tflz(self, tmp_path, destination):
        path = tmp_path / "model.tflz"
        path.write_bytes(codec.pack(b"no model at all"))
        unpack(path, destination)
        assert destination.read_bytes() == b"no model at all"
