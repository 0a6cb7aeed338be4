"""The micro runtime behind the face of LiteRT's interpreter, in a process of its own."""

import re

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from micro_models import (
    decoded,
    micro_answers,
    micro_run,
    of_one_operator,
    one_weight_of_two_operators,
    pruned,
    two_branches,
    two_weights_of_one_operator,
)
from models_in_memory import Graph, mlp, new_model, packed

from sparsetool.verify import FailedRun, FinishedRun, KernelSet, TimedOutRun, run_model
from sparsetool.verify.micro_runtime import require_runtime
from sparsetool_converters.errors import MissingExtraError
from sparsetool_converters.model import Model
from sparsetool_converters.passes.decode_operators import insert_decodes
from sparsetool_converters.targets import LITERT_KERNEL_SETS, MICRO_KERNEL_SETS, TFLM
from sparsetool_converters.targets.cases import Case, cases_of

pytest.importorskip("tflite_micro")
RIGHT = [case for case in cases_of(TFLM) if not case.row]


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_what_the_table_calls_right_is_right_bit_for_bit(case: Case) -> None:
    dense, stored = case.build()
    assert micro_answers(stored) == micro_answers(dense)


@pytest.mark.parametrize("build", [one_weight_of_two_operators, two_branches])
def test_models_of_several_operators_and_subgraphs_are_right_bit_for_bit(build) -> None:
    assert micro_answers(decoded(build())) == micro_answers(build())


def test_two_weights_that_one_operator_unpacks_are_right_bit_for_bit() -> None:
    model = Model.from_bytes(two_weights_of_one_operator())
    insert_decodes(model, [t for t in model.subgraphs[0].tensors if t.is_constant])
    assert micro_answers(model.to_bytes()) == micro_answers(two_weights_of_one_operator())


@pytest.mark.parametrize(("scale", "axis"), [(0.5, 0), (np.linspace(1, 2, 16), 0)])
def test_zero_points_are_what_the_runtime_puts_where_nothing_is_stored(scale, axis) -> None:
    """A table of GATHER hands its elements out as they are."""
    model = new_model()
    graph = Graph(model)
    table = np.random.default_rng(1).integers(-3, 4, (16, 40)).astype(np.int8)
    x = graph.tensor("x", (5,), "int32")
    w = graph.constant("w", table, scale=scale, axis=axis, zero_point=2)
    y = graph.tensor("y", (5, 40), "int8", scale=0.5, zero_point=2)
    graph.op(schema.BuiltinOperator.GATHER, [w, x], [y], schema.GatherOptionsT())
    graph.ends([x], [y])
    dense = packed(model)
    stored = Model.from_bytes(dense)
    insert_decodes(stored, [t for t in stored.subgraphs[0].tensors if t.name == "w"])
    assert micro_answers(stored.to_bytes()) == micro_answers(dense)


def test_arena_holds_what_is_unpacked() -> None:
    dense = mlp([pruned((64, 64))])
    runs = [micro_run(data) for data in (dense, decoded(dense))]
    assert all(isinstance(run, FinishedRun) for run in runs)
    growth_bytes = runs[1].arena_bytes - runs[0].arena_bytes
    assert 64 * 64 * 4 <= growth_bytes < 64 * 64 * 4 + 1000


def test_names_and_quantization_come_from_the_file() -> None:
    run = micro_run(RIGHT[9].build()[0])
    assert isinstance(run, FinishedRun)
    assert [info.name for info in run.inputs] == ["x"]
    assert [output.info.name for output in run.outputs] == ["y"]


def test_failure_has_the_reason_that_the_runtime_printed() -> None:
    run = micro_run(of_one_operator(schema.BuiltinOperator.TOPK_V2))
    assert isinstance(run, FailedRun)
    assert run.step == "allocate"
    assert re.search("Didn't find op for builtin opcode 'TOPK_V2'", run.message)


def test_samples_of_another_shape_are_refused(models) -> None:
    path = models.difference(signature=(-1, 2))
    run = run_model(path, [np.ones((1, 3, 2), np.float32)] * 2, KernelSet.MICRO, timeout_s=60)
    assert isinstance(run, FailedRun)
    assert "input left is [1, 2], the samples are [3, 2]" in run.message


def test_time_limit_holds(models) -> None:
    run = run_model(models.endless(), [np.ones((1, 1), np.float32)], KernelSet.MICRO, timeout_s=2.0)
    assert isinstance(run, (TimedOutRun, FailedRun))


def test_missing_extra_is_named(monkeypatch) -> None:
    monkeypatch.setattr("sparsetool.verify.micro_runtime.find_spec", lambda name: None)
    require_runtime(LITERT_KERNEL_SETS)
    with pytest.raises(MissingExtraError, match=r"tflite-micro .* pip install 'sparsetool\[tflm\]'"):
        require_runtime(MICRO_KERNEL_SETS)
