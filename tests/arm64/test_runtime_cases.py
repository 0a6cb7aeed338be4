"""One model for each way of storing weights: on ARM64 the encoded one answers as its dense twin does."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from one_op_models import one_op, weight_for

from sparsetool.verify import ALL_KERNEL_SETS, KernelSet, RandomSamples, Tolerance, verify_outputs
from sparsetool_converters import LITERT, EncodeSparse, Model, make_plan
from sparsetool_converters.targets import Route

pytestmark = pytest.mark.skipif(platform.machine() != "aarch64", reason="runs on ARM64: make test-arm64")

RunForked = Callable[[list[bytes], KernelSet], list[npt.NDArray[Any]]]
ROUNDING = 2e-6  # of the largest value: another order of the same sum
ONE_STEP = 1  # of int8: the dense kernels without delegates round otherwise than XNNPACK's


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model of one operator, and how the plan must come to store its weight."""

    op: str
    weight: str
    activation: str = "float32"
    block: int = 1
    zeros: float = 0.85
    stored: tuple[Route, str]

    def dense(self) -> bytes:
        weight = weight_for(self.op, self.weight, zeros=self.zeros, block=self.block)
        return one_op(self.op, weight, self.activation)

    def encoded(self) -> bytes:
        model = Model.from_bytes(self.dense())
        plan = make_plan(model, LITERT)
        (decision,) = plan.encoded()
        route, layout = self.stored
        assert decision.rule.route is route
        assert decision.layout.startswith(layout)
        EncodeSparse(plan)(model)
        return bytes(model.to_bytes())


CASES = {
    "float, random": Case(op="FULLY_CONNECTED", weight="float32", zeros=0.95, stored=(Route.NATIVE, "csr")),
    "float, 1x4": Case(op="FULLY_CONNECTED", weight="float32", block=4, stored=(Route.NATIVE, "block 1x4")),
    "hybrid, 1x16": Case(op="FULLY_CONNECTED", weight="int8", block=16, stored=(Route.NATIVE, "block 1x16")),
    "int8, 1x16": Case(
        op="FULLY_CONNECTED", weight="int8", activation="int8", block=16, stored=(Route.NATIVE, "block 1x16")
    ),
    "float convolution": Case(op="CONV_2D", weight="float32", stored=(Route.DENSIFY, "csr on axis")),
    "int8 convolution": Case(op="CONV_2D", weight="int8", activation="int8", stored=(Route.DENSIFY, "csr on axis")),
}


@pytest.mark.parametrize("kernel_set", ALL_KERNEL_SETS)
@pytest.mark.parametrize("name", CASES)
def test_encoded_answers_as_dense_does(name: str, kernel_set: KernelSet, run_forked: RunForked) -> None:
    case = CASES[name]
    dense, encoded = run_forked([case.dense(), case.encoded()], kernel_set)
    assert len(np.unique(dense)) > 20
    if dense.dtype == np.int8:
        np.testing.assert_allclose(encoded.astype(int), dense.astype(int), rtol=0, atol=ONE_STEP)
    else:
        np.testing.assert_allclose(encoded, dense, rtol=0, atol=ROUNDING * np.abs(dense).max())


@pytest.mark.parametrize("name", ["float convolution", "int8 convolution"])
def test_a_single_convolution_behind_densify_is_computed_exactly_as_dense(name: str, run_forked: RunForked) -> None:
    dense, encoded = run_forked([CASES[name].dense(), CASES[name].encoded()], KernelSet.DEFAULT)
    np.testing.assert_array_equal(encoded, dense)


def test_int8_native_answers_alike_on_all_kernel_sets(run_forked: RunForked) -> None:
    encoded = CASES["int8, 1x16"].encoded()
    first, *others = (run_forked([encoded], kernel_set)[0] for kernel_set in ALL_KERNEL_SETS)
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_verification_runs_its_own_processes_here(tmp_path: Path) -> None:
    case = CASES["hybrid, 1x16"]
    (tmp_path / "dense.tflite").write_bytes(case.dense())
    (tmp_path / "encoded.tflite").write_bytes(case.encoded())
    verification = verify_outputs(
        tmp_path / "dense.tflite",
        tmp_path / "encoded.tflite",
        RandomSamples(n_samples=1),
        kernel_sets=[KernelSet.DEFAULT],
        tolerance=Tolerance(max_relative_error=ROUNDING),
        stage="encode",
        timeout_s=120,
    )
    assert not verification.skipped
