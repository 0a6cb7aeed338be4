"""The target of readers that know no sparsity."""

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool_converters.model import Model
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT, PORTABLE, Severity
from sparsetool_converters.targets.cases import Case, cases_of
from sparsetool_converters.targets.lint import lint

WEIGHT = np.kron(np.eye(8), np.ones((8, 8))).astype(np.float32)


def test_plan_keeps_everything_dense_and_says_why() -> None:
    plan = make_plan(Model.from_bytes(mlp([WEIGHT])), PORTABLE)
    (decision,) = plan.decisions
    assert plan.encoded() == ()
    assert decision.reason.startswith("converters and delegates that know no sparsity refuse sparse tensors")


def test_dense_model_passes_the_lint() -> None:
    assert lint(Model.from_bytes(mlp([WEIGHT])), PORTABLE) == ()


@pytest.mark.parametrize("case", cases_of(LITERT)[::7], ids=lambda case: case.name)
def test_every_sparse_tensor_is_an_error(case: Case) -> None:
    model = Model.from_bytes(case.build()[1])
    findings = lint(model, PORTABLE)
    assert {f.tensor for f in findings} >= {t.name for t in model.subgraphs[0].tensors if t.is_sparse}
    assert all(finding.severity is Severity.ERROR for finding in findings)


def test_there_is_nothing_to_measure() -> None:
    assert cases_of(PORTABLE) == ()
