"""`sparsetool bench` as its users meet it."""

import numpy as np
import pytest
from models_in_memory import mlp


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model.tflite").write_bytes(mlp([np.ones((8, 16), np.float32)]))
    return "model.tflite"


def test_bench_prints_its_record_as_json(sparsetool, model):
    done = sparsetool("bench", model, model, "--time", "1", "--json")
    assert done.code == 0, done.err
    record = done.json
    assert (record["schema_version"], record["kind"], record["kernel_set"]) == (1, "bench", "default")
    assert {*record} == {
        "schema_version", "kind", "reference", "candidate", "ratios", "sparse", "notes", "kernel_set", "threads",
        "processor", "runtime",
    }  # fmt: skip
    assert all(ratio["low"] <= ratio["ratio"] <= ratio["high"] for ratio in record["ratios"])
    assert record["reference"]["operators"][0]["name"]
    assert done.said == []


def test_bench_prints_a_sentence_for_each_quantity(sparsetool, model):
    done = sparsetool("bench", model, model, "--time", "1", "--kernel-set", "no-delegates")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    for quantity in ("load: ", "first inference: ", "steady latency: ", "resident memory: "):
        assert sum(line.startswith(quantity) for line in lines) == 1
    assert "FULLY_CONNECTED, operator 0" in done.out
    assert "model.tflite: no weight is stored sparse, so dense kernels run all of them." in lines


def test_a_model_that_the_runtime_refuses_exits_with_6(sparsetool, model, models):
    refused = models.custom_op()
    assert "failed at load" in sparsetool("bench", refused, model, "--time", "1").error(6)


def test_an_endless_model_exits_with_4(sparsetool, model, models):
    endless = models.endless()
    said = sparsetool("bench", endless, model, "--time", "1", "--timeout", "2").error(4)
    assert said == f"bench: {endless.name}: did not answer within 2 s, at first; give it more time"


def test_unknown_kernels_exit_with_2(sparsetool, model):
    assert "kernel set 'micro' is not known" in sparsetool("bench", model, model, "--kernel-set", "micro").error(2)
