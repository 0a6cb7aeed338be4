"""Runs the very file that would ship, in a process of its own, and compares it with a reference.

Nothing here loads the interpreter into the calling process.
"""

from sparsetool.verify.accuracy import Accuracy, classification_accuracy
from sparsetool.verify.metrics import Agreement
from sparsetool.verify.micro_runtime import micro_runtime_installed, require_runtime
from sparsetool.verify.outputs import Difference, OutputComparison, compare_outputs
from sparsetool.verify.runs import (
    CrashedRun,
    FailedRun,
    FinishedRun,
    Run,
    RunOutput,
    TimedOutRun,
)
from sparsetool.verify.runtime import run_model
from sparsetool.verify.tolerance import IDENTICAL, Tolerance, check, problem_with
from sparsetool.verify.verification import (
    ALL_KERNEL_SETS,
    OutputVerification,
    PairComparison,
    Problem,
    SkippedKernelSet,
    compare_all,
    compare_runs,
    real_samples,
    run_on_kernel_sets,
    verify_outputs,
)
from sparsetool_converters.samples import RandomSamples, Samples, fit_samples, load_samples
from sparsetool_converters.targets import KernelSet
from sparsetool_converters.tensor_info import TensorInfo

__all__ = [
    "ALL_KERNEL_SETS",
    "IDENTICAL",
    "Accuracy",
    "Agreement",
    "CrashedRun",
    "Difference",
    "FailedRun",
    "FinishedRun",
    "KernelSet",
    "OutputComparison",
    "OutputVerification",
    "PairComparison",
    "Problem",
    "RandomSamples",
    "Run",
    "RunOutput",
    "Samples",
    "SkippedKernelSet",
    "TensorInfo",
    "TimedOutRun",
    "Tolerance",
    "check",
    "classification_accuracy",
    "compare_all",
    "compare_outputs",
    "compare_runs",
    "fit_samples",
    "load_samples",
    "micro_runtime_installed",
    "problem_with",
    "real_samples",
    "require_runtime",
    "run_model",
    "run_on_kernel_sets",
    "verify_outputs",
]
