"""Pairs of small models, each on each kernel set in a fork of its own."""

import sys

import numpy as np
import pytest
from models_in_memory import mlp
from one_op_models import one_op, weight_for

from sparsetool.verify import ALL_KERNEL_SETS, KernelSet
from sparsetool.verify.trials import run_trials
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.sparsity import block_csr, csr
from sparsetool_converters.targets import Outcome
from sparsetool_converters.targets.cases.storing import stored_sparse

DENSE = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "float32"))
INT8 = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8"), "int8")
OTHER = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "float32", seed=6))
CRASHING = stored_sparse(DENSE, block_csr((4, 1)), densify=False, version=8)
FAILING = stored_sparse(DENSE, block_csr((1, 2)), densify=False, version=8)


def outcomes(*pairs: tuple[bytes, bytes], kernel_set: KernelSet = KernelSet.NO_DELEGATES) -> list[Outcome]:
    return [trials[kernel_set].outcome for trials in run_trials(pairs, [kernel_set])]


def test_crash_ends_its_own_trial_only() -> None:
    crashed, right = run_trials([(DENSE, CRASHING), (DENSE, DENSE)], [KernelSet.NO_DELEGATES])
    assert crashed[KernelSet.NO_DELEGATES].outcome is Outcome.GARBAGE
    assert crashed[KernelSet.NO_DELEGATES].words == "ended with SIGSEGV"
    assert right[KernelSet.NO_DELEGATES].outcome is Outcome.RIGHT


def test_failure_is_told_in_the_words_of_the_runtime() -> None:
    (trials,) = run_trials([(DENSE, FAILING)], [KernelSet.NO_DELEGATES])
    assert trials[KernelSet.NO_DELEGATES].outcome is Outcome.FAILS_AT_INVOKE
    assert trials[KernelSet.NO_DELEGATES].words.startswith("Unsupported sparse fully-connected weight format")


def test_bytes_that_are_no_model_fail_at_load() -> None:
    assert outcomes((DENSE, b"no model at all")) == [Outcome.FAILS_AT_LOAD]


def test_other_numbers_are_garbage() -> None:
    assert outcomes((DENSE, OTHER)) == [Outcome.GARBAGE]


def test_numbers_nearby_are_roughly_right() -> None:
    weight = weight_for("FULLY_CONNECTED", "float32")
    assert outcomes((DENSE, one_op("FULLY_CONNECTED", weight * np.float32(1.001)))) == [Outcome.ROUGHLY]


def test_one_step_of_integers_is_right_and_two_are_not() -> None:
    bias = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", seed=8), "int8")
    assert outcomes((INT8, INT8), (INT8, bias)) == [Outcome.RIGHT, Outcome.GARBAGE]


def test_every_kernel_set_is_tried_and_progress_told() -> None:
    told: list[tuple[int, int]] = []
    (trials,) = run_trials([(DENSE, FAILING)], ALL_KERNEL_SETS, on_progress=lambda *done: told.append(done))
    assert [trials[k].outcome for k in ALL_KERNEL_SETS] == [
        Outcome.FAILS_AT_INVOKE,
        Outcome.FAILS_AT_INVOKE,
        Outcome.RIGHT,
    ]
    assert sorted(told) == [(1, 3), (2, 3), (3, 3)]


def test_twin_that_does_not_run_is_refused() -> None:
    with pytest.raises(VerificationError, match="a dense twin does not run: Unsupported sparse"):
        run_trials([(FAILING, DENSE)], [KernelSet.NO_DELEGATES])


def test_model_of_several_layers_runs() -> None:
    dense = mlp([weight_for("", "float32", shape=(32, 64)), weight_for("", "float32", shape=(16, 32))])
    assert outcomes((dense, stored_sparse(dense, csr(2), densify=True, names=("w0", "w1")))) == [Outcome.RIGHT]


def test_calling_process_stays_free_of_the_interpreter() -> None:
    code = "import sys, sparsetool.verify.trials; print('ai_edge_litert.interpreter' in sys.modules)"
    import subprocess

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"
