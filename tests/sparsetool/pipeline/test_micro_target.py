"""Files for microcontrollers: made, verified on the micro runtime, read again, refused by name."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from micro_models import decoded, micro_answers, of_one_operator, one_weight_of_two_operators, pruned, two_branches
from models_in_memory import mlp
from one_op_models import one_op, weight_for

from sparsetool.pipeline.check_target import check_target
from sparsetool.pipeline.compress import compress
from sparsetool.pipeline.conversion import Settings
from sparsetool.pipeline.densify import densify
from sparsetool.pipeline.micro_memory import micro_memory
from sparsetool.pipeline.verify_pair import verify_pair
from sparsetool.report.inspection import inspect_model
from sparsetool_converters.errors import MissingExtraError, TargetError
from sparsetool_converters.model import Model
from sparsetool_converters.model.decode_operator import has_decode
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.passes.decode_operators import decoded_tensors
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT, TFLM
from sparsetool_converters.targets.cases import cases_of

pytest.importorskip("tflite_micro")
SETTINGS = Settings(target="tflm")
OPS = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")


@pytest.fixture
def compressed(tmp_path):
    """What compress makes of a model for microcontrollers, and its record."""

    def run(data, settings=SETTINGS):
        source, destination = tmp_path / "source.tflite", tmp_path / "small.tflite"
        source.write_bytes(data)
        record = compress(source, destination, settings)
        return destination.read_bytes(), record

    return run


def litert_encoded(data):
    model = Model.from_bytes(data)
    EncodeSparse(make_plan(model, LITERT))(model)
    return model.to_bytes()


def compared(record):
    return {(output.stage, output.kernel_set): output.identical for output in record.outputs}


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("op", OPS)
def test_pruned_weights_are_stored_for_the_decoder_and_answer_bit_for_bit(compressed, op, dtype):
    dense = one_op(op, weight_for(op, dtype, zeros=0.8), dtype)
    data, record = compressed(dense)
    assert has_decode(Model.from_bytes(data))
    assert len(data) < len(dense)
    assert micro_answers(data) == micro_answers(dense)
    assert compared(record)["encode", "micro"] is True
    assert ("micro runtime", "micro") in compared(record)


@pytest.mark.parametrize("build", [one_weight_of_two_operators, two_branches])
def test_several_readers_and_subgraphs_are_verified(compressed, build):
    data, record = compressed(build(), Settings(target="tflm", compact=False))
    assert has_decode(Model.from_bytes(data))
    assert compared(record)["encode", "micro"]


def test_sparse_file_for_litert_is_densified_first(compressed):
    dense = mlp([pruned((96, 64)), pruned((8, 96))])
    sparse = litert_encoded(dense)
    data, record = compressed(sparse, Settings(target="tflm", compact=False))
    assert [stage.name for stage in record.stages][:2] == ["source", "densify"]
    model = Model.from_bytes(data)
    assert not any(tensor.is_sparse for graph in model.subgraphs for tensor in graph.tensors)
    assert len(decoded_tensors(model)) == 2
    assert micro_answers(data) == micro_answers(dense)


def test_decoded_file_stays_as_it_is(compressed):
    source = decoded(mlp([pruned((64, 64))]))
    data, record = compressed(source)
    assert data == source
    assert set(compared(record)) == {("source", "micro")}


def test_model_without_zeros_is_copied_and_run_on_the_micro_runtime(compressed):
    source = mlp([np.random.default_rng(0).normal(size=(64, 64))])
    data, record = compressed(source)
    assert data == source
    assert ("micro runtime", "micro") in compared(record)


@pytest.mark.parametrize("case", [c for c in cases_of(TFLM) if c.row == "hybrid"], ids=lambda case: case.name)
def test_hybrid_models_are_refused_in_one_line(compressed, case):
    with pytest.raises(TargetError, match="runs no integer weights with float activations") as refused:
        compressed(case.build()[0])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("op", "dtype"), [("TOPK_V2", "float32"), ("DEQUANTIZE", "float16")])
def test_what_the_runtime_has_not_is_refused_by_name(compressed, op, dtype):
    with pytest.raises(TargetError, match=op):
        compressed(of_one_operator(getattr(schema.BuiltinOperator, op), dtype))


def test_what_only_running_finds_is_refused_in_the_runtime_s_own_words(compressed):
    lstm = one_op("UNIDIRECTIONAL_SEQUENCE_LSTM", weight_for("UNIDIRECTIONAL_SEQUENCE_LSTM", "float32"))
    with pytest.raises(TargetError, match=r"target tflm: the micro runtime does not run .*20 != 24"):
        compressed(lstm)


def test_missing_extra_is_told_before_anything_is_done(compressed, monkeypatch):
    monkeypatch.setattr("sparsetool.verify.micro_runtime.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"sparsetool\[tflm\]"):
        compressed(b"no model at all")


def test_densify_verifies_on_the_micro_runtime_and_without_it_by_the_weights(tmp_path, monkeypatch):
    source = tmp_path / "decoded.tflite"
    source.write_bytes(decoded(mlp([pruned((64, 64))])))
    record = densify(source, tmp_path / "dense.tflite")
    assert compared(record) == {("densify", "micro"): True}
    monkeypatch.setattr("sparsetool.verify.micro_runtime.find_spec", lambda name: None)
    record = densify(source, tmp_path / "again.tflite")
    assert record.outputs == ()
    assert "its weights were compared" in record.skipped[0]
    assert (tmp_path / "again.tflite").read_bytes() == (tmp_path / "dense.tflite").read_bytes()


def test_decoded_file_goes_back_to_litert(compressed):
    data, record = compressed(decoded(mlp([pruned((96, 64))])), Settings(target="litert"))
    assert not has_decode(Model.from_bytes(data))
    assert ("encode", "default") in compared(record)


@pytest.mark.parametrize("encode", [False, True])
def test_verify_runs_both_on_the_micro_runtime(tmp_path, encode):
    dense = mlp([pruned((96, 64))])
    reference, candidate = tmp_path / "reference.tflite", tmp_path / "candidate.tflite"
    reference.write_bytes(litert_encoded(dense) if encode else dense)
    candidate.write_bytes(decoded(dense))
    assert compared(verify_pair(reference, candidate)) == {("verify", "micro"): True}
    assert compared(verify_pair(candidate, reference)) == {("verify", "micro"): True}
    candidate.write_bytes(decoded(mlp([pruned((96, 64), seed=4)])))
    record = verify_pair(reference, candidate)
    assert (record.verdict, record.exit_code) == ("fail", 4)
    assert any(f.kind == "output" and "with micro kernels" in f.problem for f in record.findings)


def test_memory_is_told_beside_the_dense_twin_s(monkeypatch):
    dense = mlp([pruned((64, 64))])
    data = decoded(dense)
    memory = micro_memory(data, name="model")
    assert (memory.flash_bytes, memory.decoded_bytes) == (len(data), 64 * 64 * 4)
    assert memory.dense_flash_bytes == len(Model.from_bytes(dense).to_bytes())
    assert 64 * 64 * 4 <= memory.arena_bytes - memory.dense_arena_bytes < 64 * 64 * 4 + 1000
    assert micro_memory(dense, name="model") is None
    monkeypatch.setattr("sparsetool.verify.micro_runtime.find_spec", lambda name: None)
    assert micro_memory(data, name="model").arena_bytes is None


def test_inspection_lists_decoded_weights_once():
    record = inspect_model(decoded(one_weight_of_two_operators()), name="model")
    (tensor,) = record.tensors
    assert (tensor.name, tensor.op, tensor.type, tensor.shape) == ("w", "FULLY_CONNECTED", "FLOAT32", (64, 64))
    assert tensor.sparsity == pytest.approx(0.8, abs=1e-3)
    assert (tensor.dense_bytes, tensor.encoded) == (16384, True)
    assert tensor.stored_bytes == 512 + 16 + 4 * 819
    assert (record.weights, record.zeros) == (4096, 3277)


def test_installed_micro_runtime_is_as_the_table_says():
    record = check_target("tflm")
    assert record.differences == ()
    assert record.summary == (
        f"{len(cases_of(TFLM))} cases on 1 kernel set of tflite-micro 0.dev20261023182759: "
        "no difference to the table of tflm"
    )
