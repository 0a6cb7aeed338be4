"""What a target makes of each weight of a file."""

import pytest
from models_in_memory import mlp
from one_op_models import one_op, weight_for

from sparsetool.pipeline.explain import explain_file
from sparsetool.report.target_tables import finding_lines, use_lines
from sparsetool_converters.errors import UsageError
from sparsetool_converters.sparsity import block_csr, csr
from sparsetool_converters.targets.cases.storing import stored_sparse

FC = "FULLY_CONNECTED"
HYBRID = one_op(FC, weight_for(FC, "int8", block=16))


@pytest.fixture
def explained(tmp_path):
    def explain(data, target="litert"):
        (tmp_path / "model.tflite").write_bytes(data)
        return explain_file(tmp_path / "model.tflite", target)

    return explain


def test_dense_weight_is_told_what_else_would_run(explained):
    (weight,) = explained(HYBRID).weights
    assert (weight.tensor, weight.stored, weight.verdict, weight.shape) == ("weight", "dense", "right", (48, 96))
    native, densify = weight.ways
    limits = "version 8, asymmetric_quantize_inputs, at most 4,096 inputs, at most 255 blocks in a row"
    assert (native.stored, native.cost) == (f"block 1x16 ({limits})", "")
    assert densify.stored == "any layout, behind DENSIFY (version 8, asymmetric_quantize_inputs)"
    assert "unpacked at load" in densify.cost
    assert weight.refused == ()


def test_what_is_refused_is_told_with_its_source(explained):
    (weight,) = explained(one_op("CONV_2D", weight_for("CONV_2D", "int8"))).weights
    assert weight.ways == ()
    assert [refusal.stored for refusal in weight.refused] == ["sparse without DENSIFY", "behind DENSIFY"]
    assert all("f674577" in refusal.source for refusal in weight.refused)


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        (stored_sparse(HYBRID, block_csr((1, 16)), densify=False, version=8), "block 1x16"),
        (stored_sparse(HYBRID, csr(2), densify=True, version=8), "csr, behind DENSIFY"),
    ],
)
def test_stored_weight_that_runs_is_right(explained, data, stored):
    record = explained(data)
    (weight,) = record.weights
    assert (weight.stored, weight.verdict) == (stored, "right")
    assert (record.findings, record.errors) == ((), 0)
    assert finding_lines(record) == ["0 errors, 0 warnings for litert"]


def test_stored_weight_that_does_not_run_is_an_error_with_its_finding(explained):
    record = explained(stored_sparse(HYBRID, block_csr((1, 4)), densify=False, version=8))
    (weight,), (finding,) = record.weights, record.findings
    assert (weight.verdict, record.errors) == ("error", 1)
    assert (finding.name, finding.outcomes) == ("hybrid-block", "garbage on all kernel sets")
    assert finding_lines(record)[0].startswith("error: weight in FULLY_CONNECTED (subgraph 0, operator 0): the hybrid")


def test_lines_of_a_use_come_once_however_many_weights_have_it(explained):
    weight = weight_for("", "float32", shape=(32, 32))
    record = explained(mlp([weight, weight]))
    assert len(record.weights) == 2
    lines = use_lines(record)
    assert lines[0] == "FULLY_CONNECTED with FLOAT32 weights and FLOAT32 activations, on litert:"
    assert len([line for line in lines if not line.startswith("  ")]) == 1


def test_portable_runs_nothing_sparse(explained):
    record = explained(stored_sparse(HYBRID, csr(2), densify=True, version=8), "portable")
    assert {finding.name for finding in record.findings} == {"sparse-densify"}
    assert record.weights[0].ways == ()


def test_unknown_target_is_refused(explained):
    with pytest.raises(UsageError, match="known targets: litert, portable"):
        explained(HYBRID, "gpu")
