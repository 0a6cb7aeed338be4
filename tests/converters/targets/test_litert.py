"""The table of the LiteRT runtime, held against itself and against its cases."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from one_op_models import one_op, weight_for

from sparsetool.verify import ALL_KERNEL_SETS, KernelSet
from sparsetool.verify.trials import Trial, run_trials
from sparsetool_converters.errors import UsageError
from sparsetool_converters.model import Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import (
    LITERT,
    PORTABLE,
    Hazard,
    Outcome,
    Route,
    Rule,
    Severity,
    Target,
    WeightUse,
    target_named,
)
from sparsetool_converters.targets.cases import Case, cases_of
from sparsetool_converters.targets.lint import lint

DTYPES = {"FLOAT32": "float32", "FLOAT16": "float16", "INT8": "int8", "INT16": "int16"}
CASES = cases_of(LITERT)


def model_for(use: WeightUse, *, block: int = 1, fused: int = 0, version: int | None = None) -> bytes:
    weight = weight_for(use.op, DTYPES[use.weight], block=block)
    return one_op(use.op, weight, DTYPES[use.activation], dequantized=use.dequantized, fused=fused, version=version)


def planned(rule: Rule, data: bytes) -> bytes:
    """The model with its weight encoded by this rule and no other."""
    model = Model.from_bytes(data)
    plan = make_plan(model, Target(name="one rule", rules=(rule,), hazards=()))
    (decision,) = plan.encoded()
    assert decision.rule == rule
    assert len(EncodeSparse(plan)(model)) == 1
    return model.to_bytes()


def single_block_rules() -> list[Rule]:
    """Each rule, those with a choice of blocks once for each block."""
    return [replace(rule, blocks=chosen) for rule in LITERT.rules for chosen in ([(b,) for b in rule.blocks] or [()])]


def name_of(rule: Rule) -> str:
    parts = [rule.use.op, rule.use.weight, rule.use.activation] + ["dequantized"] * rule.use.dequantized
    return " ".join([*parts, rule.route, *(f"{r}x{c}" for r, c in rule.blocks)])


@pytest.mark.parametrize("rule", single_block_rules(), ids=name_of)
def test_what_the_planner_emits_for_a_rule_passes_the_lint_and_is_smaller(rule: Rule) -> None:
    dense = model_for(rule.use, block=rule.blocks[0][1] if rule.blocks else 1)
    encoded = planned(rule, dense)
    assert len(encoded) < len(dense)
    assert lint(Model.from_bytes(encoded), LITERT) == ()


@cache
def planned_trials() -> dict[str, dict[KernelSet, Trial]]:
    """What came of that beside the dense twin, by the name of the rule."""
    pairs = {}
    for rule in single_block_rules():
        dense = model_for(rule.use, block=rule.blocks[0][1] if rule.blocks else 1)
        pairs[name_of(rule)] = (dense, planned(rule, dense))
    return dict(zip(pairs, run_trials(list(pairs.values()), ALL_KERNEL_SETS), strict=True))


@pytest.mark.parametrize("rule", single_block_rules(), ids=name_of)
def test_what_the_planner_emits_for_a_rule_runs_right_on_every_kernel_set(rule: Rule) -> None:
    trials = planned_trials()[name_of(rule)]
    assert {trial.outcome for trial in trials.values()} == {Outcome.RIGHT}, trials


@pytest.mark.parametrize("hazard", LITERT.hazards, ids=lambda hazard: hazard.name)
def test_each_hazard_has_a_case_or_the_source_that_makes_it_unsafe(hazard: Hazard) -> None:
    cases = [case for case in CASES if case.row == hazard.name]
    assert hazard.source
    assert hazard.way_out
    assert bool(cases) == (hazard.outcomes is not None)
    assert all(case.expected == hazard.outcomes for case in cases)
    if hazard.severity is Severity.ERROR and hazard.outcomes is not None:
        assert not hazard.outcomes.all_right()


def test_each_rule_has_a_case_for_each_block() -> None:
    names = [case.name for case in CASES if not case.row]
    for rule in single_block_rules():
        how = "behind DENSIFY" if rule.route is Route.DENSIFY else "native"
        assert [name for name in names if name.startswith(f"{rule.use},") and name.endswith(how)], name_of(rule)


def test_case_names_differ() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_rule_has_a_source() -> None:
    assert all(rule.source for rule in LITERT.rules)


@pytest.mark.parametrize("rule", LITERT.rules, ids=name_of)
def test_no_use_is_both_allowed_and_refused_whatever_else_holds(rule: Rule) -> None:
    assert rule.route not in {hazard.route for hazard in LITERT.refused_ways(rule.use)}


def test_native_rules_come_with_blocks_and_densify_without() -> None:
    assert all(bool(rule.blocks) == (rule.route is Route.NATIVE) for rule in LITERT.rules)


def test_planner_leaves_fused_activations_that_xnnpack_does_not_know() -> None:
    use = WeightUse(op="CONV_2D", weight="FLOAT16", activation="FLOAT32", dequantized=True)
    dense = model_for(use, fused=schema.ActivationFunctionType.TANH)
    (decision,) = make_plan(Model.from_bytes(dense), LITERT).decisions
    assert "fused TANH" in decision.reason


def test_planner_leaves_dequantized_weights_of_a_version_that_xnnpack_does_not_take() -> None:
    use = WeightUse(op="FULLY_CONNECTED", weight="FLOAT16", activation="FLOAT32", dequantized=True)
    (decision,) = make_plan(Model.from_bytes(model_for(use, version=8)), LITERT).decisions
    assert "version 8" in decision.reason


@pytest.mark.parametrize(("columns", "blocks"), [(4096 + 16, 3), (4096, 256)])
def test_planner_stays_below_what_the_hybrid_ledger_counts(columns: int, blocks: int) -> None:
    weight = np.zeros((40, columns), np.int8)
    weight[:2, -16 * blocks :] = 1
    (decision,) = make_plan(Model.from_bytes(one_op("FULLY_CONNECTED", weight)), LITERT).encoded()
    assert decision.rule.route is Route.DENSIFY


def test_use_of_which_nothing_is_known_is_refused_by_its_name() -> None:
    use = WeightUse(op="SVDF", weight="FLOAT32", activation="FLOAT32")
    assert LITERT.rules_for(use) == ()
    assert LITERT.why_refused(use) == (
        "nothing is known to run SVDF with FLOAT32 weights and FLOAT32 activations sparse on litert"
    )


def test_refused_use_is_told_with_its_source() -> None:
    use = WeightUse(op="CONV_2D", weight="INT8", activation="FLOAT32")
    assert LITERT.why_refused(use).startswith("int8 weights behind DENSIFY fail to load under XNNPACK")
    assert "xnnpack_delegate.cc" in LITERT.why_refused(use)


def test_unknown_target_is_refused_with_the_known_ones() -> None:
    assert target_named("litert") is LITERT
    assert target_named("portable") is PORTABLE
    with pytest.raises(UsageError, match="target 'tpu' is not known; known targets: litert, portable, tflm"):
        target_named("tpu")


def lint_names(case: Case) -> set[str]:
    return {finding.name for finding in lint(Model.from_bytes(case.build()[1]), LITERT)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lint_finds_the_row_of_each_case_and_no_other(case: Case) -> None:
    assert lint_names(case) == ({case.row} if case.row else set())
