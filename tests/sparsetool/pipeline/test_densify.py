"""A sparse file in, a dense one out that any reader takes; and the destination untouched by whatever goes wrong."""

import numpy as np
import pytest
from one_op_models import one_op, weight_for

from sparsetool.pipeline.compress import compress
from sparsetool.pipeline.conversion import Settings
from sparsetool.pipeline.densify import densify
from sparsetool_converters.codec import decompress
from sparsetool_converters.costs import Objective
from sparsetool_converters.errors import EncodingError, OutputError, UsageError
from sparsetool_converters.model import Model
from sparsetool_converters.model.sparsity_fields import write_sparsity
from sparsetool_converters.sparsity import block_csr, csr, encode
from sparsetool_converters.targets import TARGETS, Target

KERNEL_SETS = {"default", "no-delegates", "reference"}


def read_sparse(data, block_format, version=8):
    """The same model, its one operator fed a sparse weight at this version."""
    model = Model.from_bytes(data)
    weight = next(t for t in model.subgraphs[0].tensors if t.name == "weight")
    write_sparsity(weight, encode(weight.array(), block_format))
    (operator,) = model.subgraphs[0].operators
    operator.code = model.operator_code(operator.code.builtin, version)
    return model.to_bytes()


FLOAT = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "float32"))
HYBRID = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", block=16))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "sparse.tflite"
    path.write_bytes(read_sparse(FLOAT, csr(2)))
    return path


@pytest.fixture
def destination(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    return folder / "dense.tflite"


def is_sparse(data):
    return any(t.is_sparse for graph in Model.from_bytes(data).subgraphs for t in graph.tensors)


def test_weights_that_kernels_read_sparse_come_out_dense_and_compared(source, destination):
    record = densify(source, destination)
    data = destination.read_bytes()
    assert not is_sparse(data)
    assert [op.code.version for _, op in Model.from_bytes(data).operators()] == [1]
    assert [stage.name for stage in record.stages] == ["source", "densify"]
    assert {output.kernel_set for output in record.outputs} == KERNEL_SETS
    assert record.skipped == ()
    assert record.sizes.disk == len(data)


def test_what_compress_made_comes_back(tmp_path, destination, pruned_model):
    dense = tmp_path / "model.tflite"
    dense.write_bytes(pruned_model)
    small = tmp_path / "small.tflite"
    compress(dense, small, Settings(compact=False))
    densify(small, destination)
    found = {
        t.name: t.array() for t in Model.from_bytes(destination.read_bytes()).subgraphs[0].tensors if t.is_constant
    }
    wanted = {t.name: t.array() for t in Model.from_bytes(pruned_model).subgraphs[0].tensors if t.is_constant}
    assert {name: (a + 0.0).tobytes() for name, a in found.items()} == {
        name: (a + 0.0).tobytes() for name, a in wanted.items()
    }


def test_a_packed_file_is_written_by_its_name(source, destination):
    packed = destination.with_name("dense.tflite.zst")
    densify(source, packed)
    assert not is_sparse(decompress(packed.read_bytes()))


def test_a_dense_model_is_copied(tmp_path, destination, dense_model):
    source = tmp_path / "model.tflite"
    source.write_bytes(dense_model)
    densify(source, destination)
    assert destination.read_bytes() == dense_model


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (read_sparse(HYBRID, block_csr((1, 16)), version=12), "weight in FULLY_CONNECTED (subgraph 0, operator 0): "),
        (read_sparse(HYBRID, block_csr((1, 4))), "weight in FULLY_CONNECTED (subgraph 0, operator 0): "),
        (read_sparse(FLOAT, block_csr((4, 1))), "weight in FULLY_CONNECTED (subgraph 0, operator 0): "),
    ],
    ids=["version", "garbage", "crash"],
)
def test_a_source_that_the_runtime_gets_wrong_is_no_reference_and_that_is_said(source, destination, heard, data, why):
    source.write_bytes(data)
    record = densify(source, destination, listener=heard)
    assert not is_sparse(destination.read_bytes())
    (skipped,) = record.skipped
    assert skipped.startswith(f"outputs of the source are no reference: {why}")
    assert skipped.endswith("its weights were compared")
    assert heard.notes == [f"dense.tflite: {skipped}"]
    assert record.outputs == ()


def test_compress_mends_such_a_source_too(source, destination):
    source.write_bytes(read_sparse(HYBRID, block_csr((1, 16)), version=12))
    record = compress(source, destination)
    assert [stage.name for stage in record.stages] == ["source", "densify", "encode"]
    assert [op.code.version for _, op in Model.from_bytes(destination.read_bytes()).operators()] == [8]
    assert len(record.skipped) == 1


class TestNothingIsWritten:
    def test_if_more_would_be_made_than_is_allowed(self, source, destination):
        with pytest.raises(EncodingError, match=r"^weight: takes 18,432 bytes unpacked, and 18,431 are left"):
            densify(source, destination, max_output=18_431)
        assert not destination.exists()
        densify(source, destination, max_output=18_432)

    def test_if_the_destination_exists(self, source, destination):
        destination.write_bytes(b"before")
        with pytest.raises(OutputError, match="--force"):
            densify(source, destination)
        assert destination.read_bytes() == b"before"
        densify(source, destination, force=True)

    def test_if_the_destination_has_no_model_s_name(self, source, destination):
        with pytest.raises(UsageError, match="name the output"):
            densify(source, destination.with_name("dense.bin"))


class TestASourceThatCannotBeMadeSmaller:
    @pytest.fixture
    def small(self, tmp_path, pruned_model):
        dense, small = tmp_path / "model.tflite", tmp_path / "small.tflite"
        dense.write_bytes(pruned_model)
        compress(dense, small)
        return small

    def test_is_the_result_and_that_is_said(self, small, destination, heard):
        record = compress(small, destination, listener=heard)
        assert destination.read_bytes() == small.read_bytes()
        assert [stage.name for stage in record.stages] == ["source"]
        size = small.stat().st_size
        assert heard.notes == [f"{small}: stays as it is, {size:,} bytes; converted, it takes {size:,}"]

    def test_is_not_if_another_objective_asks_for_other_weights(self, small, destination, heard):
        record = compress(small, destination, Settings(objective=Objective.SPEED), listener=heard)
        assert record.stages[1].name == "densify"
        assert heard.notes == []

    def test_is_not_if_the_target_cannot_read_it(self, small, destination, heard, monkeypatch):
        monkeypatch.setitem(TARGETS, "plain", Target(name="plain", rules=(), hazards=()))
        compress(small, destination, Settings(target="plain"), listener=heard)
        assert not is_sparse(destination.read_bytes())
        assert heard.notes == []


def test_larger_blocks_than_the_planner_knows_are_encoded_anew(source, destination):
    """Blocks of 2x8 that keep many zeros: the result is smaller than the source."""
    weight = weight_for("FULLY_CONNECTED", "float32")
    source.write_bytes(read_sparse(one_op("FULLY_CONNECTED", weight), block_csr((2, 8))))
    compress(source, destination)
    data = destination.read_bytes()
    assert len(data) < source.stat().st_size
    again = next(t for t in Model.from_bytes(data).subgraphs[0].tensors if t.name == "weight")
    assert again.is_sparse
    assert np.array_equal(again.array(), weight)
