"""The table of the LiteRT runtime, row by row on the runtime itself."""

from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from kernel_sets import assert_alike, isolated_runs, worst_differences
from one_op_models import one_op, weight_for

from sparsetool.verify import FailedRun, FinishedRun, KernelSet
from sparsetool_converters.errors import UsageError
from sparsetool_converters.model import Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT, Refusal, Route, Rule, Target, WeightUse, target_named

WRONG = 1000.0  # times the tolerance: other numbers, not other rounding
DTYPES = {"FLOAT32": "float32", "FLOAT16": "float16", "INT8": "int8"}


def model_for(use: WeightUse, *, block: int = 1, fused: int = 0) -> bytes:
    weight = weight_for(use.op, DTYPES[use.weight], block=block)
    return one_op(use.op, weight, DTYPES[use.activation], dequantized=use.dequantized, fused=fused)


def encoded_by(rule: Rule, data: bytes) -> bytes:
    """The model with its weight encoded by this rule and no other."""
    model = Model.from_bytes(data)
    plan = make_plan(model, Target(name="one rule", rules=(rule,), refusals=()))
    (decision,) = plan.encoded()
    assert decision.rule == rule
    assert len(EncodeSparse(plan)(model)) == 1
    return model.to_bytes()


def single_block_rules() -> list[Rule]:
    """Each rule, those with a choice of blocks once for each block."""
    return [replace(rule, blocks=chosen) for rule in LITERT.rules for chosen in ([(b,) for b in rule.blocks] or [()])]


def name_of(row: Rule | Refusal) -> str:
    parts = [row.use.op, row.use.weight, row.use.activation] + ["dequantized"] * row.use.dequantized
    if isinstance(row, Rule):
        parts += [row.route, *(f"{r}x{c}" for r, c in row.blocks)]
    return " ".join(parts)


@pytest.mark.parametrize("rule", single_block_rules(), ids=name_of)
def test_rule_gives_the_numbers_of_the_dense_twin_on_every_kernel_set(rule: Rule) -> None:
    dense = model_for(rule.use, block=rule.blocks[0][1] if rule.blocks else 1)
    encoded = encoded_by(rule, dense)
    assert len(encoded) < len(dense)
    assert_alike(dense, encoded)


@pytest.mark.parametrize("refusal", LITERT.refusals, ids=name_of)
def test_refused_use_fails_or_gives_other_numbers_on_some_kernel_set(refusal: Refusal) -> None:
    dense = model_for(refusal.use)
    encoded = encoded_by(Rule(use=refusal.use, route=Route.DENSIFY, source="to be refused"), dense)
    worst = worst_differences(dense, encoded)
    assert worst[KernelSet.DEFAULT] > WRONG
    assert worst[KernelSet.NO_DELEGATES] == worst[KernelSet.REFERENCE] == 0.0


@pytest.mark.parametrize("weight", ["FLOAT16", "INT8"])
def test_dequantized_weights_of_an_operator_that_xnnpack_leaves_alone_are_wrong(weight: str) -> None:
    use = WeightUse(op="CONV_2D", weight=weight, activation="FLOAT32", dequantized=True)
    dense = model_for(use, fused=schema.ActivationFunctionType.TANH)
    (rule,) = LITERT.rules_for(use)
    worst = worst_differences(dense, encoded_by(replace(rule, fused_activations=()), dense))
    assert worst[KernelSet.DEFAULT] > WRONG
    (decision,) = make_plan(Model.from_bytes(dense), LITERT).decisions
    assert "fused TANH" in decision.reason


@pytest.mark.parametrize("fused", ["RELU", "RELU_N1_TO_1", "RELU6"])
def test_dequantized_weights_are_right_under_activations_that_xnnpack_knows(fused: str) -> None:
    use = WeightUse(op="CONV_2D", weight="FLOAT16", activation="FLOAT32", dequantized=True)
    dense = model_for(use, fused=getattr(schema.ActivationFunctionType, fused))
    (rule,) = LITERT.rules_for(use)
    assert_alike(dense, encoded_by(rule, dense))


def test_native_sparse_under_another_version_is_read_as_dense_by_xnnpack() -> None:
    (rule,) = [r for r in LITERT.rules if r.route is Route.NATIVE and r.use.weight == "FLOAT32"]
    dense = model_for(rule.use)
    model = Model.from_bytes(encoded_by(replace(rule, blocks=((1, 1),)), dense))
    model.subgraphs[0].operators[0].code.fields.version = 1
    worst = worst_differences(dense, model.to_bytes())
    assert worst[KernelSet.DEFAULT] > WRONG


def test_int8_fully_connected_behind_densify_fails_under_its_own_version() -> None:
    (rule,) = [r for r in LITERT.rules if r.route is Route.DENSIFY and r.use == FULLY_INT8]
    candidate = isolated_runs(encoded_by(replace(rule, version=None), model_for(rule.use)))
    assert isinstance(candidate[KernelSet.DEFAULT], FailedRun)
    assert isinstance(candidate[KernelSet.NO_DELEGATES], FinishedRun)


FULLY_INT8 = WeightUse(op="FULLY_CONNECTED", weight="INT8", activation="INT8")
HYBRID = WeightUse(op="FULLY_CONNECTED", weight="INT8", activation="FLOAT32")


@pytest.mark.parametrize(("columns", "block_per_row"), [(4096 + 16, 3), (4096, 256)])
def test_hybrid_beyond_what_its_ledger_counts_is_wrong(columns: int, block_per_row: int) -> None:
    (rule,) = [r for r in LITERT.rules if r.route is Route.NATIVE and r.use == HYBRID]
    weight = np.zeros((40, columns), np.int8)
    weight[:, -16 * block_per_row :][:2] = 1
    dense = one_op("FULLY_CONNECTED", weight)
    beyond = replace(rule, max_columns=None, max_blocks_per_row=None)
    worst = worst_differences(dense, encoded_by(beyond, dense))
    assert max(worst.values()) > WRONG


@pytest.mark.parametrize(("columns", "block_per_row"), [(4096, 255)])
def test_hybrid_at_the_limit_of_its_ledger_is_right(columns: int, block_per_row: int) -> None:
    (rule,) = [r for r in LITERT.rules if r.route is Route.NATIVE and r.use == HYBRID]
    weight = np.zeros((40, columns), np.int8)
    weight[:, -16 * block_per_row :][:2] = 1
    dense = one_op("FULLY_CONNECTED", weight)
    assert_alike(dense, encoded_by(rule, dense))


def test_every_row_has_a_source() -> None:
    assert all(row.source for row in (*LITERT.rules, *LITERT.refusals))


def test_no_use_is_both_allowed_and_refused() -> None:
    assert not {rule.use for rule in LITERT.rules} & {refusal.use for refusal in LITERT.refusals}


def test_native_rules_come_with_blocks_and_densify_without() -> None:
    assert all(bool(rule.blocks) == (rule.route is Route.NATIVE) for rule in LITERT.rules)


def test_use_of_which_nothing_is_known_is_refused_by_its_name() -> None:
    use = WeightUse(op="CONV_3D", weight="FLOAT32", activation="FLOAT32")
    assert LITERT.rules_for(use) == ()
    assert LITERT.why_refused(use) == (
        "nothing is known to run CONV_3D with FLOAT32 weights and FLOAT32 activations sparse on litert"
    )


def test_unknown_target_is_refused_with_the_known_ones() -> None:
    assert target_named("litert") is LITERT
    with pytest.raises(UsageError, match="target 'tflm' is not known; known targets: litert"):
        target_named("tflm")
