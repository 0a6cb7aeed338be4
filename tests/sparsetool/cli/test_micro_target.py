"""The target of microcontrollers on the command line."""

import pytest
from ai_edge_litert import schema_py_generated as schema
from micro_models import of_one_operator, pruned
from models_in_memory import mlp

pytest.importorskip("tflite_micro")


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model.tflite").write_bytes(mlp([pruned((96, 64))]))
    return "model.tflite"


def test_compress_verify_inspect_explain_and_densify_go_together(sparsetool, model):
    done = sparsetool("compress", model, "-o", "small.tflite", "--target", "tflm")
    assert done.code == 0, done.err
    assert "micro runtime" in done.out
    assert sparsetool("verify", model, "small.tflite").out.splitlines()[-1].startswith("pass: small.tflite")
    inspected = sparsetool("inspect", "small.tflite")
    assert "bitmap, unpacked by TFLM_DECODE" in inspected.out
    assert "flash " in inspected.out
    assert "more for 24,576 bytes that TFLM_DECODE unpacks" in inspected.out
    assert sparsetool("inspect", "small.tflite", "--json").json["micro"]["decoded_bytes"] == 24_576
    assert sparsetool("inspect", model, "--json").json["micro"] is None
    explained = sparsetool("explain", "small.tflite", "--target", "tflm")
    assert (explained.code, "runs bitmap, behind TFLM_DECODE" in explained.out) == (0, True)
    assert sparsetool("explain", "small.tflite").code == 6
    assert sparsetool("densify", "small.tflite", "-o", "dense.tflite").code == 0


def test_plan_tells_what_the_bitmap_would_take(sparsetool, model):
    planned = sparsetool("plan", model, "--target", "tflm", "--json").json
    assert planned["target"] == "tflm"
    assert {choice["route"] for tensor in planned["tensors"] for choice in tensor["choices"]} == {"dense", "decode"}


def test_refusal_is_one_line_and_6(sparsetool, tmp_path):
    (tmp_path / "model.tflite").write_bytes(of_one_operator(schema.BuiltinOperator.TOPK_V2))
    line = sparsetool("compress", "model.tflite", "-o", "small.tflite", "--target", "tflm").error(6)
    assert line.startswith("target tflm: small.tflite: y in TOPK_V2 (subgraph 0, operator 0): tflm has no operator")


def test_table_is_checked_on_the_micro_runtime(sparsetool):
    checked = sparsetool("targets", "check", "--target", "tflm")
    assert (checked.code, checked.out.strip()) == (
        0,
        "45 cases on 1 kernel set of tflite-micro 0.dev20261023182759: no difference to the table of tflm",
    )
    refused = sparsetool("targets", "check", "--target", "tflm", "--kernel-set", "default")
    assert refused.error(2) == "kernel set 'default' is not known; known kernel sets: micro"
