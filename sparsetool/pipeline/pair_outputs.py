"""Run two models beside each other, and tell everything that differs in what they answer."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from sparsetool.pipeline.bisecting import bisect as first_bad_operator
from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.proof import output_records
from sparsetool.pipeline.request import VERIFY_SAMPLES
from sparsetool.pipeline.task_metric import ROUNDING, Metric, measured, metric_name
from sparsetool.report.bisect_record import BisectRecord
from sparsetool.report.records import GateRecord, MetricRecord, OutputRecord
from sparsetool.report.verification_record import RunEndRecord, VerificationFinding
from sparsetool.verify import (
    CrashedRun,
    FailedRun,
    FinishedRun,
    KernelSet,
    Run,
    TimedOutRun,
    Tolerance,
    compare_all,
    real_samples,
    run_on_kernel_sets,
)
from sparsetool.verify.structure import entry_name, signature_key
from sparsetool_converters.errors import CalibrationDataError, TargetError, VerificationError
from sparsetool_converters.model import Model
from sparsetool_converters.model.state import is_stateful
from sparsetool_converters.samples import RandomSamples, Samples, in_order, sample_count, samples_for

STAGE = "verify"


ANYTHING = Tolerance(max_relative_error=math.inf)
"""For outputs that only a task metric judges; NaN and infinities that appear are findings all the same."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What the models are for.

    Attributes:
        labels: the right answer of each sample.
        metric: a function of outputs and labels; accuracy if None.
        max_drop: the most that the metric may fall; None to measure it only.
    """

    labels: npt.NDArray[Any]
    metric: Metric | None = None
    max_drop: float | None = None


@dataclass(frozen=True, kw_only=True)
class OutputFindings:
    """What running both models found.

    Attributes:
        records: every output on every kernel set that ran both.
        runs: how each run ended.
        findings: what is wrong with the candidate.
        notes: what could not be compared, and why.
        metric: the task metric of the reference and of the candidate, on the kernels where it falls most.
        gates: what the metric was held against.
        bisected: where the candidate begins to differ, if that was asked for and outputs differ.
    """

    records: tuple[OutputRecord, ...]
    runs: tuple[RunEndRecord, ...]
    findings: tuple[VerificationFinding, ...]
    notes: tuple[str, ...]
    metric: tuple[MetricRecord, ...]
    gates: tuple[GateRecord, ...]
    bisected: BisectRecord | None


def compare_pair(
    reference: bytes,
    candidate: bytes,
    samples: Samples,
    *,
    kernel_sets: Sequence[KernelSet],
    tolerance: Tolerance,
    timeout_s: float,
    bisect: bool,
    task: Task | None,
    listener: Listener,
) -> OutputFindings:
    """Run both models on the same samples on every kernel set, each signature, and compare what they answer.

    A crash or an endless run on one kernel set is a finding, and the others are compared all the same.

    Args:
        reference: bytes of the .tflite to trust.
        candidate: bytes of the .tflite to check.
        samples: what to run; random ones mean the same real values to both.
        kernel_sets: the kernels to compare on.
        tolerance: what every output has to keep.
        timeout_s: seconds for each run.
        bisect: whether to name the first operator whose output leaves the tolerance.
        task: what the models are for, if their metric is to be measured.
        listener: hears of progress.

    Raises:
        TargetError: the reference runs on no kernel set.
        CalibrationDataError: the samples do not fit the reference.
    """
    models = Model.from_bytes(reference), Model.from_bytes(candidate)
    calls, notes = _calls(models, samples)
    if is_stateful(models[0]):
        notes.append("the reference keeps state, so the samples are one sequence")
    found = _Found(notes=notes)
    with tempfile.TemporaryDirectory(prefix="sparsetool-pair-") as folder:
        paths = Path(folder, "reference.tflite"), Path(folder, "candidate.tflite")
        for path, data in zip(paths, (reference, candidate), strict=True):
            path.write_bytes(data)
        for number, (signature, given) in enumerate(calls):
            pair = _Pair(paths, signature, given, kernel_sets, timeout_s, listener, (2 * number, 2 * len(calls)))
            _compare(pair, tolerance, found, task if not number else None)
    bisected = None
    if bisect and found.first_bad is not None:
        kernel_set, signature, given = found.first_bad
        if signature:
            found.notes.append(f"no operator was searched for, since outputs of signature {signature} differ")
        else:
            bisected = first_bad_operator(
                reference,
                candidate,
                given,
                kernel_set=kernel_set,
                tolerance=tolerance,
                timeout_s=timeout_s,
                listener=listener,
            )
    return OutputFindings(
        records=tuple(found.records),
        runs=tuple(found.runs),
        findings=tuple(found.findings),
        notes=tuple(found.notes),
        metric=found.metric,
        gates=found.gates,
        bisected=bisected,
    )


@dataclass(kw_only=True)
class _Found:
    """What was found so far."""

    notes: list[str]
    records: list[OutputRecord] = field(default_factory=list)
    runs: list[RunEndRecord] = field(default_factory=list)
    findings: list[VerificationFinding] = field(default_factory=list)
    metric: tuple[MetricRecord, ...] = ()
    gates: tuple[GateRecord, ...] = ()
    first_bad: tuple[KernelSet, str, Samples] | None = None


@dataclass(frozen=True)
class _Pair:
    """Two models, and how they are called."""

    paths: tuple[Path, Path]
    signature: str
    samples: Samples
    kernel_sets: Sequence[KernelSet]
    timeout_s: float
    listener: Listener
    place: tuple[int, int]  # runs on all kernel sets that were done before, and all of them

    def run(self, which: int, samples: Samples) -> dict[KernelSet, Run]:
        before, every = self.place

        def told(done: int, total: int) -> None:
            self.listener.progress(STAGE, (before + which) * total + done, every * total)

        return run_on_kernel_sets(
            self.paths[which],
            samples,
            kernel_sets=self.kernel_sets,
            timeout_s=self.timeout_s,
            signature=self.signature,
            on_progress=told,
        )


def _compare(pair: _Pair, tolerance: Tolerance, found: _Found, task: Task | None) -> None:
    """Run both models, and add what is found."""
    expected = pair.run(0, pair.samples)
    _tell_ends("reference", expected, pair.signature, found)
    finished = [run for run in expected.values() if isinstance(run, FinishedRun)]
    real = real_samples(pair.samples, finished[0].inputs) if finished else pair.samples
    by_position = in_order(real, finished[0].inputs) if isinstance(real, Mapping) and finished else real
    try:
        answers = pair.run(1, real)
    except CalibrationDataError as error:  # they fit the reference
        try:
            answers = pair.run(1, by_position)  # under other names
        except CalibrationDataError:
            compare_all(expected, expected, tolerance=tolerance)  # the reference must run
            found.findings.append(_finding("run", "", f"the inputs are not the reference's: {error}"))
            return
    _tell_ends("candidate", answers, pair.signature, found)
    comparison = compare_all(expected, answers, tolerance=tolerance)
    if task is not None:
        _measure_task(task, expected, answers, found)
    found.records += output_records(STAGE, comparison.comparisons)
    found.notes += [f"not compared on {skip.kernel_set}: the reference {skip.problem}" for skip in comparison.skipped]
    # A target that refuses the model wherever the reference runs cannot run it; on some kernels, it runs it wrong.
    refused = [isinstance(problem.run, FailedRun) for problem in comparison.problems]
    everywhere = len(refused) == len(finished) and all(refused)
    for problem in comparison.problems:
        kind = "output" if problem.output else "run"
        code = TargetError.exit_code if everywhere else VerificationError.exit_code
        found.findings.append(_finding(kind, problem.output, problem.text, code))
    if comparison.problems and found.first_bad is None:
        found.first_bad = comparison.problems[0].kernel_set, pair.signature, real


def _measure_task(
    task: Task, expected: Mapping[KernelSet, Run], answers: Mapping[KernelSet, Run], found: _Found
) -> None:
    """The metric of both models where it falls most, and the gate on that."""
    pairs = [
        (k, measured(run, task.labels, task.metric), measured(other, task.labels, task.metric))
        for k, run in expected.items()
        if isinstance(run, FinishedRun) and isinstance(other := answers[k], FinishedRun)
    ]
    if not pairs:
        return
    kernel_set, before, after = max(pairs, key=lambda pair: pair[1] - pair[2])
    name, drop = metric_name(task.metric), before - after
    found.metric = tuple(MetricRecord(name=name, value=v, samples=len(task.labels)) for v in (before, after))
    if task.max_drop is None:
        return
    kept = drop <= task.max_drop + ROUNDING
    where = f"{kernel_set} kernels"
    found.gates = (GateRecord(metric="max_drop", limit=task.max_drop, value=drop, where=where, kept=kept),)
    if not kept:
        text = f"{name} fell by {drop:.6g}, from {before:.6g} to {after:.6g}, with {where}; {task.max_drop:g} allowed"
        found.findings.append(_finding("gate", "max_drop", text))


def _finding(kind: str, where: str, text: str, exit_code: int = VerificationError.exit_code) -> VerificationFinding:
    return VerificationFinding(kind=kind, where=where, problem=text, exit_code=exit_code)


_ENDS = {FinishedRun: "finished", FailedRun: "failed", CrashedRun: "crashed", TimedOutRun: "timed out"}


def _tell_ends(model: str, runs: Mapping[KernelSet, Run], signature: str, found: _Found) -> None:
    found.runs += [
        RunEndRecord(
            model=model,
            kernel_set=str(kernel_set),
            signature=signature,
            ended=_ENDS[type(run)],
            problem="" if isinstance(run, FinishedRun) else run.problem,
        )
        for kernel_set, run in runs.items()
    ]


def _calls(models: tuple[Model, Model], samples: Samples) -> tuple[list[tuple[str, Samples]], list[str]]:
    """How the models are called: as a whole, or each signature of several, on the samples that are for it."""
    if len(models[0].signatures or []) < 2:
        return [("", samples)], []
    calls: list[tuple[str, Samples]] = []
    notes = []
    theirs = {signature_key(signature) for signature in models[1].signatures or []}
    for number, signature in enumerate(models[0].signatures or []):
        key = signature_key(signature)
        if key not in theirs:
            continue  # which the structure tells
        names = [entry_name(entry) for entry in signature.inputs]
        given = samples_for(samples, key, names, first=number == 0)
        if given is None:
            notes.append(f"signature {key} was run on random samples, since none were given for it")
            given = RandomSamples(n_samples=min(VERIFY_SAMPLES, sample_count(samples)))
        calls.append((key, given))
    return calls, notes
