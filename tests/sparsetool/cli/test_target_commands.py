"""The commands about targets."""

import pytest
from one_op_models import one_op, weight_for

from sparsetool_converters.model import Model
from sparsetool_converters.sparsity import block_csr, csr
from sparsetool_converters.targets.cases.storing import stored_sparse

FC = "FULLY_CONNECTED"
DENSE = one_op(FC, weight_for(FC, "int8", block=16))


@pytest.fixture
def models(tmp_path):
    (tmp_path / "dense.tflite").write_bytes(DENSE)
    (tmp_path / "right.tflite").write_bytes(stored_sparse(DENSE, csr(2), densify=True, version=8))
    (tmp_path / "wrong.tflite").write_bytes(stored_sparse(DENSE, block_csr((1, 4)), densify=False, version=8))


def test_help_of_targets_and_its_command_is_shown(sparsetool):
    shown = sparsetool("targets", "--help")
    assert (shown.code, shown.err) == (0, "")
    assert "  check " in shown.out
    assert "\n    sparsetool targets check " in sparsetool("targets", "check", "--help").out


def test_explain_of_a_right_file_ends_with_0(sparsetool, models):
    done = sparsetool("explain", "right.tflite", "--target", "litert")
    assert (done.code, done.said) == (0, [])
    assert "csr, behind DENSIFY" in done.out
    assert done.out.rstrip().endswith("0 errors, 0 warnings for litert")


def test_explain_of_a_wrong_file_tells_all_and_ends_with_6(sparsetool, models):
    done = sparsetool("explain", "wrong.tflite", "--json")
    assert (done.code, done.said) == (6, [])
    record = done.json
    assert (record["kind"], record["schema_version"], record["target"]) == ("explain", 1, "litert")
    assert [finding["name"] for finding in record["findings"]] == ["hybrid-block"]


def test_explain_for_the_portable_target(sparsetool, models):
    assert sparsetool("explain", "dense.tflite", "--target", "portable").code == 0
    assert sparsetool("explain", "right.tflite", "--target", "portable").code == 6


def test_unknown_target_is_refused_with_2(sparsetool, models):
    line = sparsetool("explain", "dense.tflite", "--target", "gpu").error(2)
    assert line == "target 'gpu' is not known; known targets: litert, portable, tflm"


def test_unknown_kernel_set_is_refused_with_2(sparsetool):
    line = sparsetool("targets", "check", "--kernel-set", "gpu").error(2)
    assert line.startswith("kernel set 'gpu' is not known; known kernel sets: default")


def test_nothing_is_there_to_check_of_the_portable_target(sparsetool):
    assert "nothing to run" in sparsetool("targets", "check", "--target", "portable").error(2)


@pytest.mark.slow
def test_check_finds_no_difference_on_one_kernel_set(sparsetool):
    done = sparsetool("targets", "check", "--kernel-set", "reference", "--json")
    assert done.code == 0, done.err
    trials = done.json["trials"]
    assert {trial["kernel_set"] for trial in trials} == {"reference"}
    assert all(trial["measured"] == trial["expected"] for trial in trials)


def test_compress_for_the_portable_target_leaves_nothing_sparse(sparsetool, models, tmp_path):
    done = sparsetool("compress", "right.tflite", "-o", "small.tflite", "--target", "portable")
    assert done.code == 0, done.err
    model = Model.from_bytes((tmp_path / "small.tflite").read_bytes())
    assert not any(tensor.is_sparse for tensor in model.subgraphs[0].tensors)
    assert [operator.name for operator in model.subgraphs[0].operators] == [FC]
