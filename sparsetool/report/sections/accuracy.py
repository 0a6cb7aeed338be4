"""Accuracy from stage to stage."""

from sparsetool.report.figures import NOTHING, count, interval, real
from sparsetool.report.records import AccuracyRecord, ArtifactRecord, MetricRecord
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sheets import Column, Section, section, sheet

_COLUMNS = (
    Column("model"), Column("stage"), "accuracy", "right", "samples", "95 % Wilson interval", Column("metric"),
    "value", "samples of it",
)  # fmt: skip


def accuracy_section(record: ReportRecord) -> Section:
    """Each stage that was measured on the test set, then the artifact; a sentence where there was none."""
    rows = [row for artifact in record.run.artifacts for row in _rows(artifact)]
    if not rows:
        return section("accuracy", "Accuracy by stage", ("There was no test set, so accuracy was not measured.",))
    said = "Measured on the test set, which nothing else looks at."
    return section("accuracy", "Accuracy by stage", (said,), (sheet("On the test set", _COLUMNS, rows),))


def _rows(artifact: ArtifactRecord) -> list[tuple[str, ...]]:
    stages = [(s.name, s.accuracy, s.metric) for s in artifact.stages]
    found = [*stages, ("result", artifact.accuracy, artifact.metric)]
    return [
        (artifact.name, name, *_accuracy(accuracy), *_metric(metric))
        for name, accuracy, metric in found
        if accuracy is not None or metric is not None
    ]


def _accuracy(accuracy: AccuracyRecord | None) -> tuple[str, ...]:
    if accuracy is None:
        return (NOTHING,) * 4
    return (
        f"{accuracy.percent:.2f} %",
        count(accuracy.correct),
        count(accuracy.samples),
        interval(accuracy.low, accuracy.high),
    )


def _metric(metric: MetricRecord | None) -> tuple[str, ...]:
    return (NOTHING,) * 3 if metric is None else (metric.name, real(metric.value), count(metric.samples))
