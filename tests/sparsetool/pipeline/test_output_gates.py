"""Limits on outputs, end to end: measured on every kernel set, the worst told, and broken by what is worse."""

import math
import re

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.pipeline.output_gates import BrokenGateError, output_gates
from sparsetool.pipeline.proof import Prover
from sparsetool.verify import ALL_KERNEL_SETS, Tolerance
from sparsetool_converters.targets import LITERT

RNG = np.random.default_rng(8)
WEIGHT = RNG.uniform(-1, 1, (6, 16)).astype(np.float32)
NOISY = WEIGHT + RNG.normal(0, 0.05, WEIGHT.shape).astype(np.float32)
SAMPLES = RNG.random((32, 16), np.float32)
ALL = {
    "max_abs_error": (1.0, 1e-6),
    "max_relative_error": (0.5, 1e-6),
    "min_sqnr_db": (10.0, 60.0),
    "min_cosine": (0.9, 0.999999),
    "max_kl_divergence": (1.0, 1e-9),
    "min_top1_agreement": (0.5, 1.0),
    "min_top5_agreement": (0.5, 1.0),
}


def gates(heard, candidate, reference=WEIGHT, **limits):
    prover = Prover(SAMPLES, timeout_s=60.0, listener=heard)
    models = mlp([reference]), mlp([candidate])
    return output_gates(*models, Tolerance(**limits), prover=prover, target=LITERT, name="small")


def test_every_limit_that_is_kept_is_told_with_its_worst_value_and_place(heard):
    found = gates(heard, NOISY, **{metric: kept for metric, (kept, _) in ALL.items()})
    assert [gate.metric for gate in found] == list(ALL)
    assert all(gate.kept for gate in found)
    places = {f"y, {kernels}" for kernels in ALL_KERNEL_SETS}
    assert {gate.where for gate in found} <= places
    expected, answers = SAMPLES @ WEIGHT.T, SAMPLES @ NOISY.T
    values = {gate.metric: gate.value for gate in found}
    assert values["max_abs_error"] == pytest.approx(np.abs(answers - expected).max(), rel=1e-4)
    noise = np.square(answers - expected).sum()
    assert values["min_sqnr_db"] == pytest.approx(10 * np.log10(np.square(expected).sum() / noise), rel=1e-4)
    assert values["min_top1_agreement"] == np.mean(answers.argmax(axis=1) == expected.argmax(axis=1))


@pytest.mark.parametrize("metric", [metric for metric in ALL if metric != "min_top5_agreement"])
def test_a_limit_that_is_not_kept_names_all_that_there_is_to_know(heard, metric):
    limit = ALL[metric][1]
    with pytest.raises(BrokenGateError) as caught:
        gates(heard, NOISY, **{metric: limit})
    bound = "most" if metric.startswith("max") else "least"
    told = re.escape(f"gate: y: small: {metric} must be at {bound} {limit:g} against the float model; measured ")
    assert re.fullmatch(rf"{told}[\d.e-]+, with {caught.value.kernel_set} kernels", str(caught.value))
    assert (caught.value.exit_code, caught.value.gate.kept) == (4, False)
    assert caught.value.kernel_set in ALL_KERNEL_SETS


def test_without_limits_nothing_is_run(heard):
    assert gates(heard, NOISY) == ()
    assert heard.tasks == []


def test_the_model_itself_keeps_the_strictest_limits(heard):
    strict = {"max_abs_error": 0.0, "min_sqnr_db": 1e9, "min_cosine": 1.0 - 1e-9, "min_top5_agreement": 1.0}
    assert [gate.value for gate in gates(heard, WEIGHT, **strict)][:2] == [0.0, math.inf]


def test_nan_keeps_no_limit(heard):
    broken = WEIGHT.copy()
    broken[2, 3] = np.nan
    for metric, (limit, _) in ALL.items():
        if metric not in ("min_top1_agreement", "min_top5_agreement", "max_kl_divergence"):
            with pytest.raises(BrokenGateError):
                gates(heard, broken, **{metric: limit})


def test_a_limit_on_classes_is_refused_where_there_are_none(heard):
    with pytest.raises(BrokenGateError, match="no output has enough classes for it; leave it out"):
        gates(heard, NOISY[:1], WEIGHT[:1], min_top1_agreement=0.5)


def test_outputs_of_nothing_but_zeros_are_at_no_angle_to_others(heard):
    with pytest.raises(BrokenGateError, match=r"min_cosine must be at least 0\.5 .* measured 0,"):
        gates(heard, np.zeros_like(WEIGHT), min_cosine=0.5)
