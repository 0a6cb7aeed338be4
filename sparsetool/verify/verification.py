"""Verifies a model file by running it beside the reference on every kernel set."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparsetool.verify.outputs import OutputComparison, compare_outputs
from sparsetool.verify.runs import CrashedRun, FailedRun, FinishedRun, Run, TimedOutRun
from sparsetool.verify.runtime import OnProgress, run_model
from sparsetool.verify.tolerance import Tolerance, problem_with
from sparsetool_converters.errors import CalibrationDataError, TargetError, VerificationError
from sparsetool_converters.samples import RandomSamples, Samples, fit_samples, sample_count
from sparsetool_converters.targets import LITERT_KERNEL_SETS, KernelSet
from sparsetool_converters.tensor_info import TensorInfo

ALL_KERNEL_SETS = LITERT_KERNEL_SETS


@dataclass(frozen=True, kw_only=True)
class SkippedKernelSet:
    """A kernel set that says nothing about the candidate, since the reference does not run on it either.

    Attributes:
        kernel_set: the kernels.
        problem: how the reference's run ended.
    """

    kernel_set: KernelSet
    problem: str


@dataclass(frozen=True, kw_only=True)
class OutputVerification:
    """A candidate that is within its tolerance on every kernel set that runs the reference.

    Attributes:
        comparisons: one for each kernel set and output, in that order.
        skipped: the kernel sets on which nothing could be compared.
    """

    comparisons: tuple[OutputComparison, ...]
    skipped: tuple[SkippedKernelSet, ...]


@dataclass(frozen=True)
class Problem:
    """One way in which a candidate is not the reference's equal on a kernel set.

    Attributes:
        kernel_set: the kernels.
        output: the output's name in the reference; empty where the model as a whole did not run.
        text: what was expected and what was seen.
        run: how the candidate's run ended, where it did not finish.
    """

    kernel_set: KernelSet
    output: str
    text: str
    run: FailedRun | CrashedRun | TimedOutRun | None = None


@dataclass(frozen=True, kw_only=True)
class PairComparison:
    """Everything that comparing two models' runs found.

    Attributes:
        comparisons: one for each kernel set that ran both and each output, in that order.
        problems: what is wrong, in the same order; empty if the candidate is within its tolerance.
        skipped: the kernel sets on which nothing could be compared.
    """

    comparisons: tuple[OutputComparison, ...]
    problems: tuple[Problem, ...]
    skipped: tuple[SkippedKernelSet, ...]


def run_on_kernel_sets(
    model_path: str | os.PathLike[str],
    samples: Samples,
    *,
    kernel_sets: Sequence[KernelSet] = ALL_KERNEL_SETS,
    timeout_s: float,
    signature: str = "",
    on_progress: OnProgress | None = None,
) -> dict[KernelSet, Run]:
    """Runs a model on each kernel set; the result serves as the reference of many candidates.

    Args:
        model_path: a `.tflite` file.
        samples: see `Samples`.
        kernel_sets: the kernels to run it on.
        timeout_s: seconds of wall clock for each run.
        signature: the signature to call; empty for the model as a whole.
        on_progress: called with (samples done, samples in all), counted over all runs.

    Raises:
        CalibrationDataError: the samples do not fit the model's inputs.
    """
    progress = _Progress(on_progress, sample_count(samples), len(kernel_sets))
    return {k: progress.run(model_path, samples, k, timeout_s, signature) for k in kernel_sets}


def verify_outputs(
    reference_path: str | os.PathLike[str],
    candidate_path: str | os.PathLike[str],
    samples: Samples,
    *,
    kernel_sets: Sequence[KernelSet] = ALL_KERNEL_SETS,
    tolerance: Tolerance,
    stage: str,
    timeout_s: float,
    on_progress: OnProgress | None = None,
) -> OutputVerification:
    """Runs reference and candidate on the same samples on each kernel set and compares their outputs.

    Args:
        reference_path: a `.tflite` file.
        candidate_path: the very `.tflite` file that would ship.
        samples: see `Samples`. Random ones are made for the reference's inputs; the candidate gets the same
            real values, quantized its way.
        kernel_sets: the kernels to compare on.
        tolerance: what every output has to keep.
        stage: the stage that made the candidate, for error messages.
        timeout_s: seconds of wall clock for each run.
        on_progress: called with (samples done, samples in all), counted over all runs.

    Raises:
        CalibrationDataError: the samples do not fit the reference's inputs.
        TargetError: the reference runs on no kernel set.
        VerificationError: the reference timed out; or, where the reference runs, the candidate failed,
            crashed, timed out or is outside the tolerance.
    """
    progress = _Progress(on_progress, sample_count(samples), 2 * len(kernel_sets))
    expected = {k: progress.run(reference_path, samples, k, timeout_s) for k in kernel_sets}
    finished = [run for run in expected.values() if isinstance(run, FinishedRun)]
    real = real_samples(samples, finished[0].inputs) if finished else samples
    try:
        found = {k: progress.run(candidate_path, real, k, timeout_s) for k in kernel_sets}
    except CalibrationDataError as error:  # they fit the reference
        raise VerificationError(stage, "", f"the inputs are not the reference's: {error}") from error
    return compare_runs(expected, found, tolerance=tolerance, stage=stage)


def compare_runs(
    reference: Mapping[KernelSet, Run],
    candidate: Mapping[KernelSet, Run],
    *,
    tolerance: Tolerance,
    stage: str,
) -> OutputVerification:
    """Compares the runs of two models on the same samples, kernel set by kernel set, as `compare_all` does.

    Args:
        reference: its runs, by `run_on_kernel_sets`.
        candidate: the candidate's, on at least the same kernel sets.
        tolerance: what every output has to keep.
        stage: the stage that made the candidate, for error messages.

    Raises:
        TargetError: the reference runs on no kernel set.
        VerificationError: the reference timed out; or, where the reference runs, the candidate failed,
            crashed, timed out or is outside the tolerance.
    """
    found = compare_all(reference, candidate, tolerance=tolerance)
    for problem in found.problems:
        raise VerificationError(stage, problem.output, problem.text)
    return OutputVerification(comparisons=found.comparisons, skipped=found.skipped)


def compare_all(
    reference: Mapping[KernelSet, Run], candidate: Mapping[KernelSet, Run], *, tolerance: Tolerance
) -> PairComparison:
    """Compares the runs of two models on the same samples, and goes on whatever is found.

    Args:
        reference: its runs, by `run_on_kernel_sets`.
        candidate: the candidate's, on at least the same kernel sets.
        tolerance: what every output has to keep.

    Raises:
        TargetError: the reference runs on no kernel set.
    """
    comparisons: list[OutputComparison] = []
    problems: list[Problem] = []
    skipped: list[SkippedKernelSet] = []
    for kernel_set, expected in reference.items():
        if isinstance(expected, TimedOutRun):
            problems.append(Problem(kernel_set, "", f"the reference {expected.problem}, with {kernel_set} kernels"))
            continue
        if not isinstance(expected, FinishedRun):
            skipped.append(SkippedKernelSet(kernel_set=kernel_set, problem=expected.problem))
            continue
        found = candidate[kernel_set]
        if not isinstance(found, FinishedRun):
            text = f"the model {found.problem}, with {kernel_set} kernels"
            problems.append(Problem(kernel_set, "", text, run=found))
            continue
        try:
            compared = compare_outputs(expected, found, stage="")
        except VerificationError as mismatch:
            problems.append(Problem(kernel_set, mismatch.tensor, mismatch.problem))
            continue
        comparisons += compared
        texts = [(c.output, problem_with(c, tolerance)) for c in compared]
        problems += [Problem(kernel_set, output, text) for output, text in texts if text]
    if len(skipped) == len(reference) and skipped:
        if all(skip.kernel_set is KernelSet.MICRO for skip in skipped):
            raise TargetError("tflm", f"the micro runtime does not run the model; it {skipped[0].problem}")
        reasons = "; ".join(f"{skip.kernel_set}: {skip.problem}" for skip in skipped)
        raise TargetError("litert", f"the reference model runs on no kernel set ({reasons})")
    return PairComparison(comparisons=tuple(comparisons), problems=tuple(problems), skipped=tuple(skipped))


def real_samples(samples: Samples, inputs: Sequence[TensorInfo]) -> Samples:
    """Returns what random samples mean to the model they were made for; given arrays speak for themselves."""
    if not isinstance(samples, RandomSamples):
        return samples
    arrays = fit_samples(samples, inputs)
    return [info.dequantize(array) if info.is_quantized else array for info, array in zip(inputs, arrays, strict=True)]


class _Progress:
    """Counts samples over several runs; a run that ends early counts in full."""

    def __init__(self, on_progress: OnProgress | None, n_samples: int, n_runs: int) -> None:
        self.on_progress, self.n_samples, self.n_runs = on_progress, n_samples, n_runs
        self.runs_done = 0

    def run(
        self,
        model_path: str | os.PathLike[str],
        samples: Samples,
        kernel_set: KernelSet,
        timeout_s: float,
        signature: str = "",
    ) -> Run:
        """Runs the model as the next of the runs."""
        run = run_model(
            model_path, samples, kernel_set, timeout_s=timeout_s, signature=signature, on_progress=self._tell
        )
        if not isinstance(run, FinishedRun):
            self._tell(self.n_samples, self.n_samples)
        self.runs_done += 1
        return run

    def _tell(self, done: int, _: int) -> None:
        if self.on_progress is not None:
            self.on_progress(self.runs_done * self.n_samples + done, self.n_runs * self.n_samples)
