"""Limits on how well artifacts do their task on the test set."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sparsetool.pipeline.task_metric import ROUNDING
from sparsetool.recipe import ArtifactSection, Recipe
from sparsetool.report.records import ArtifactRecord, GateRecord
from sparsetool_converters.errors import VerificationError


def check_task_gates(recipe: Recipe, records: Sequence[ArtifactRecord]) -> tuple[ArtifactRecord, ...]:
    """The records with their gates on the task's metric.

    Raises:
        VerificationError: an artifact is not as good as the recipe asks; the first limit that is not kept is named.
    """
    by_name = {record.name: record for record in records}
    checked = []
    for section, record in zip(recipe.artifacts, records, strict=True):
        gates = _gates(section, by_name)
        for gate in gates:
            if not gate.kept:
                raise VerificationError("gate", "", _problem(section, gate, by_name))
        checked.append(replace(record, gates=(*record.gates, *gates)))
    return tuple(checked)


def _gates(section: ArtifactSection, records: Mapping[str, ArtifactRecord]) -> list[GateRecord]:
    found = []
    if section.min_accuracy is not None:
        found.append(_gate("min_accuracy", section.min_accuracy, 100.0 * _value(records[section.name])))
    if section.min_metric is not None:
        found.append(_gate("min_metric", section.min_metric, _value(records[section.name])))
    if section.max_drop is not None and section.compared_with is not None:
        drop = _value(records[section.compared_with]) - _value(records[section.name])
        found.append(_gate("max_drop", section.max_drop, drop))
    return found


def _gate(metric: str, limit: float, value: float) -> GateRecord:
    over = value - limit if metric.startswith("max_") else limit - value
    return GateRecord(metric=metric, limit=limit, value=value, where="", kept=over <= ROUNDING)


def _problem(section: ArtifactSection, gate: GateRecord, records: Mapping[str, ArtifactRecord]) -> str:
    record, value = records[section.name], _value(records[section.name])
    told = f"{100.0 * value:.2f} %" if record.metric is None else f"{record.metric.name} {value:.6g}"
    has = f"{section.name} has {told} on the test set"
    if gate.metric == "min_accuracy":
        return f"{has}; at least {gate.limit:g} % asked by min_accuracy"
    if gate.metric == "min_metric":
        return f"{has}; at least {gate.limit:g} asked by min_metric"
    points = 100.0 * (gate.value or 0.0)
    return (
        f"{has}, {points:.2f} points under {section.compared_with}; at most {100.0 * gate.limit:g} allowed by max_drop"
    )


def _value(record: ArtifactRecord) -> float:
    """The task's metric, accuracy as a share."""
    if record.metric is not None:
        return record.metric.value
    assert (
        record.accuracy is not None
    )  # measured on every artifact that has such a limit, where there is no other metric
    return record.accuracy.correct / record.accuracy.samples
