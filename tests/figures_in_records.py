"""Records whose figures are all different, and the figures of a record as a face may write them."""

import itertools
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from sparsetool.report.figures import count, decibels, error, milliseconds, percent, real, whole_bytes


class Unlike:
    """Makes records of any kind, no figure twice.

    Whole numbers are primes apart from one another; shares lie between 0 and 1; texts say where they stand.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1201, 17)

    def make(self, kind: Any, place: str = "record", **chosen: Any) -> Any:
        hints = typing.get_type_hints(kind)
        return kind(
            **{
                field.name: chosen.get(field.name, self._value(hints[field.name], f"{place}.{field.name}"))
                for field in fields(kind)
            }
        )

    def share(self) -> float:
        return next(self._numbers) / 100_003

    def _value(self, hint: Any, place: str) -> Any:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            return self._value(next(a for a in arguments if a is not type(None)), place)
        if origin is tuple and arguments[-1] is not Ellipsis:
            return tuple(self._value(a, place) for a in arguments)
        if origin is tuple:
            return (self._value(arguments[0], place),)
        if origin is dict:
            return {place: self._value(arguments[1], place)}
        if is_dataclass(hint):
            return self.make(hint, place)
        if hint is bool:
            return False
        if hint is int:
            return next(self._numbers)
        if hint is float:
            return self.share()
        return place


def figures_of(record: Any, place: str = "record") -> Iterator[tuple[str, float]]:
    """Every number in a record, with its place."""
    if is_dataclass(record):
        for field in fields(record):
            yield from figures_of(getattr(record, field.name), f"{place}.{field.name}")
    elif isinstance(record, tuple | list):
        for index, value in enumerate(record):
            yield from figures_of(value, f"{place}[{index}]")
    elif isinstance(record, dict):
        for key, value in record.items():
            yield from figures_of(value, f"{place}.{key}")
    elif isinstance(record, int | float) and not isinstance(record, bool):
        yield place, record


def written(number: float) -> set[str]:
    """The ways in which a face may write a number."""
    if isinstance(number, int):
        return {count(number), str(number)}
    ways = {percent(number, digits) for digits in (0, 1, 2, 4)} | {f"{100 * number:.{d}f}" for d in (1, 2)}
    ways |= {real(number), error(number), decibels(number), milliseconds(number), whole_bytes(number)}
    return ways | {f"{number:.3f}", f"{number:.4g}"}
