"""The table of the micro runtime, held against itself, its cases and the runtime."""

import faulthandler
import os
import tempfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from micro_models import of_one_operator
from models_in_memory import mlp

from sparsetool_converters.model import Model
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import TFLM, Hazard, Severity
from sparsetool_converters.targets.cases import Case, cases_of
from sparsetool_converters.targets.lint import MISSING, lint, lint_errors
from sparsetool_converters.targets.tflm_operators import OPERATORS

CASES = cases_of(TFLM)
BUILTINS = {
    name: code
    for name, code in vars(schema.BuiltinOperator).items()
    if not name.startswith("_") and name not in ("CUSTOM", "PLACEHOLDER_FOR_GREATER_OP_CODES")
}


def test_each_rule_has_a_case() -> None:
    names = {case.name for case in CASES}
    assert {f"{rule.use}, TFLM_DECODE" for rule in TFLM.rules} <= names
    assert len(names) == len(CASES)


@pytest.mark.parametrize("hazard", TFLM.hazards, ids=lambda hazard: hazard.name)
def test_each_hazard_has_a_case_or_the_source_that_makes_it_unsafe(hazard: Hazard) -> None:
    cases = [case for case in CASES if case.row == hazard.name]
    assert bool(cases) == (hazard.outcomes is not None)
    assert all(case.expected == hazard.outcomes for case in cases)
    assert hazard.source
    assert hazard.severity is Severity.ERROR


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lint_finds_the_row_of_each_case_and_no_other(case: Case) -> None:
    found = {finding.name for finding in lint(Model.from_bytes(case.build()[1]), TFLM)}
    assert found == ({case.row} if case.row else set())


@pytest.mark.parametrize("name", ["TOPK_V2", "LSTM", "REDUCE_PROD"])
def test_operator_that_the_runtime_has_not_is_an_error_with_its_name(name: str) -> None:
    (finding,) = lint_errors(Model.from_bytes(of_one_operator(BUILTINS[name])), TFLM)
    assert finding.name == MISSING
    assert str(finding).startswith(f"y in {name} (subgraph 0, operator 0): tflm has no operator {name};")


def test_custom_operators_go_by_their_own_name() -> None:
    custom = schema.BuiltinOperator.CUSTOM
    assert lint(Model.from_bytes(of_one_operator(custom, custom=b"SignalRfft")), TFLM) == ()
    (finding,) = lint_errors(Model.from_bytes(of_one_operator(custom, custom=b"Unheard")), TFLM)
    assert finding.effect == "tflm has no operator Unheard"


def test_element_type_that_an_operator_does_not_take_is_an_error_with_both_names() -> None:
    data = of_one_operator(schema.BuiltinOperator.DEQUANTIZE, "float16")
    (finding,) = lint_errors(Model.from_bytes(data), TFLM)
    assert finding.effect == "tflm runs no DEQUANTIZE with FLOAT16"


def test_hybrid_weights_are_kept_and_refused_by_name() -> None:
    case = next(case for case in CASES if case.row == "hybrid")
    (decision,) = make_plan(Model.from_bytes(case.build()[0]), TFLM).decisions
    assert decision.reason.startswith("the micro runtime runs no integer weights with float activations")


def test_dense_model_passes_the_lint() -> None:
    assert lint(Model.from_bytes(mlp([np.ones((4, 4))])), TFLM) == ()


@pytest.mark.parametrize("names", [sorted(BUILTINS)[i::4] for i in range(4)], ids=lambda names: names[0])
def test_operators_are_those_that_the_runtime_knows(names: list[str]) -> None:
    pytest.importorskip("tflite_micro")
    found = {name for name in names if is_known(of_one_operator(BUILTINS[name]))}
    assert found == {name for name in names if name in OPERATORS}


def test_custom_operators_are_those_that_the_runtime_knows() -> None:
    pytest.importorskip("tflite_micro")
    names = [name for name in OPERATORS if name not in BUILTINS] + ["Unheard", "SignalUnheard"]
    found = {n for n in names if is_known(of_one_operator(schema.BuiltinOperator.CUSTOM, custom=n.encode()))}
    assert found == set(names) - {"Unheard", "SignalUnheard"}


def is_known(model: bytes) -> bool:
    """Whether the micro runtime has the model's operator; its inputs are wrong, so that it may end the process."""
    from tflite_micro.python.tflite_micro import runtime

    with tempfile.TemporaryFile() as printed:
        child = os.fork()
        if child == 0:
            os.dup2(printed.fileno(), 2)
            faulthandler.disable()
            try:
                runtime.Interpreter.from_bytes(model, arena_size=2**20)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        printed.seek(0)
        return b"Failed to get registration" not in printed.read()
