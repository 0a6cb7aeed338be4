"""A report whose figures and names are all different, made field by field from the types of its records."""

import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from itertools import count
from typing import Any

from sparsetool.report.report_record import ReportRecord

ROWS = 2  # records of each kind


def hand_made_report(*, trained: bool = True) -> ReportRecord:
    """A run of two models, with training or without; the second has everything that an artifact can have."""
    record = _filled(ReportRecord, count(1), "report")
    first, second = record.run.artifacts
    first, second = (_of_one_piece(a) for a in (replace(first, name="dense"), replace(second, name="small")))
    quantities = ("steady_ms", "resident_bytes")
    measured = record.measured[0]
    ratios = tuple(
        replace(r, quantity=q, verdict="smaller") for r, q in zip(measured.bench.ratios, quantities, strict=True)
    )
    measured = replace(measured, artifact="small", bench=replace(measured.bench, ratios=ratios))
    run = replace(record.run, artifacts=(first, second), training=record.run.training if trained else None)
    return replace(record, run=run, measured=(measured,), pruning=record.pruning if trained else None)


def _of_one_piece(artifact: Any) -> Any:
    """The last stage's result is the artifact; what is compared is not identical."""
    *before, last = artifact.stages
    stages = tuple(replace(stage, sizes=replace(stage.sizes, disk=stage.disk_bytes)) for stage in before)
    last = replace(last, disk_bytes=artifact.sizes.disk, sizes=artifact.sizes)
    outputs = tuple(replace(output, identical=False) for output in artifact.outputs)
    return replace(artifact, stages=(*stages, last), outputs=outputs)


def _filled(kind: Any, numbers: Iterator[int], name: str) -> Any:
    """A value of this type: whole numbers of five digits, shares of five, words with the field's name."""
    number = next(numbers)
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{f.name: _filled(hints[f.name], numbers, f.name) for f in fields(kind)})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _filled(next(a for a in arguments if a is not type(None)), numbers, name)
    if origin is tuple:
        return tuple(_filled(arguments[0], numbers, name) for _ in range(ROWS))
    if origin is dict:
        return {f"{name}{number}": _filled(arguments[1], numbers, name)}
    if origin is typing.Literal:
        return arguments[number % len(arguments)]
    if kind is bool:
        return True
    if kind is int:
        return 10_000 + 37 * number
    if kind is float:
        return round((0.05 + 0.00371 * number) % 0.9 + 0.05, 5)
    assert kind is str
    return f"{name}-{number}"


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and word of a record with its place, "run.artifacts.0.sizes.disk"."""
    if is_dataclass(value):
        for field in fields(value):
            yield from leaves(getattr(value, field.name), f"{place}.{field.name}".lstrip("."))
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from leaves(each, f"{place}.{index}")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{place}.{key}")
    else:
        yield place, value
