"""Run what was made over the test set, the only time that it is touched: every artifact, and every stage of each."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy.typing as npt

from sparsetool.pipeline.conversion import Stage
from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.proof import kernel_sets_for
from sparsetool.pipeline.task_metric import Metric, measured, metric_name
from sparsetool.report.records import AccuracyRecord, ArtifactRecord, MetricRecord
from sparsetool.verify import FinishedRun, classification_accuracy, run_model
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.samples import Samples, sample_count

Stages = Mapping[str, Sequence[Stage]]  # by the artifact's name


def hashes(stages: Stages) -> dict[str, list[str]]:
    """The SHA-256 of every stage of every artifact."""
    return {name: [sha256(stage.data).hexdigest() for stage in found] for name, found in stages.items()}


def measure_on_test_set(
    stages: Stages,
    data: tuple[Samples, npt.NDArray[Any]],
    metric: Metric | None,
    *,
    timeout_s: float,
    listener: Listener,
) -> dict[str, Any]:
    """What each model answers, as plain data by its SHA-256; a model that several artifacts pass through runs once.

    Args:
        stages: the models.
        data: samples, and the right answers `[n]`.
        metric: what is measured, top-1 accuracy if None.
        timeout_s: seconds for one run of a model.
        listener: hears of progress.

    Raises:
        VerificationError: an artifact does not run over the test set. A stage on its way may, where the target's
            kernels are others than the ones it would run on; nothing is measured on it.
        UsageError: the metric fails, or labels and outputs do not fit each other.
    """
    x, y = data
    models: dict[str, tuple[str, bytes]] = {}
    for name, found in stages.items():
        for key, stage in zip(hashes({name: found})[name], found, strict=True):
            models.setdefault(key, (f"{name}, {stage.name}", stage.data))
    results = {hashes({name: found[-1:]})[name][0]: name for name, found in stages.items()}
    answers: dict[str, Any] = {}
    n_samples = sample_count(x)
    total = n_samples * len(models)
    for i, (key, (what, model)) in enumerate(models.items()):

        def told(done: int, _: int, before: int = i * n_samples, what: str = what) -> None:
            listener.progress("accuracy", before + done, total, what)

        with tempfile.TemporaryDirectory(prefix="sparsetool-model-") as folder:
            path = Path(folder, "model.tflite")
            path.write_bytes(model)
            run = run_model(path, x, kernel_sets_for(model)[0], timeout_s=timeout_s, on_progress=told)
        if isinstance(run, FinishedRun):
            answers[key] = _answer(run, y, metric)
        elif key in results:
            raise VerificationError("accuracy", "", f"{results[key]} {run.problem}, on the test set")
    return answers


def with_answers(record: ArtifactRecord, keys: Sequence[str], answers: Mapping[str, Any]) -> ArtifactRecord:
    """The record with what the test set said of the artifact and of each stage."""
    stages = tuple(replace(stage, **_records(answers.get(key))) for stage, key in zip(record.stages, keys, strict=True))
    return replace(record, stages=stages, **_records(answers[keys[-1]]))


def _answer(run: FinishedRun, labels: Any, metric: Metric | None) -> dict[str, Any]:
    if metric is not None:
        value = measured(run, labels, metric)
        return {"metric": asdict(MetricRecord(name=metric_name(metric), value=value, samples=run.n_samples))}
    found = classification_accuracy(run.outputs[0].values, labels)
    return {
        "accuracy": asdict(
            AccuracyRecord(correct=found.correct, samples=found.n_samples, low=found.low, high=found.high)
        )
    }


def _records(answer: Mapping[str, Any] | None) -> dict[str, Any]:
    answer = answer or {}
    return {
        "accuracy": AccuracyRecord(**answer["accuracy"]) if "accuracy" in answer else None,
        "metric": MetricRecord(**answer["metric"]) if "metric" in answer else None,
    }
