"""Records back from their JSON documents."""

import json
from dataclasses import fields
from math import nan
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sparsetool.report.records import SCHEMA_VERSION
from sparsetool_converters.errors import ModelFormatError

Record = TypeVar("Record")


def read_document(path: Path, kind: str, record: type[Record], *, way_out: str) -> Record:
    """Read what `as_json` wrote; where a number is null because it was no finite one, it is NaN.

    Args:
        path: the file.
        kind: of the document.
        record: the dataclass.
        way_out: how to make such a file, for the error of one that is not there.

    Raises:
        ModelFormatError: it cannot be read, is damaged, of another kind or of another version.
    """
    where = str(path)
    try:
        found = json.loads(path.read_bytes())
    except OSError as problem:
        raise ModelFormatError(where, f"cannot be read: {problem.strerror}; {way_out}") from problem
    except (ValueError, RecursionError) as problem:
        raise ModelFormatError(where, f"is damaged: {problem}") from problem
    if not isinstance(found, dict) or found.get("kind") != kind:
        raise ModelFormatError(where, f"is no JSON document of the kind {kind!r}")
    if (version := found.get("schema_version")) != SCHEMA_VERSION:
        raise ModelFormatError(
            where, f"is of schema version {version!r}; this sparsetool reads version {SCHEMA_VERSION}; {way_out}"
        )
    names = {field.name for field in fields(record)}  # type: ignore[arg-type]
    return _validated(TypeAdapter(record), {k: v for k, v in found.items() if k in names}, where)


def _validated(adapter: TypeAdapter[Record], found: dict[str, Any], where: str) -> Record:
    try:
        return adapter.validate_python(found)
    except ValidationError as problem:
        errors = problem.errors(include_url=False)
    nulls = [e["loc"] for e in errors if e["type"] == "float_type" and e["input"] is None]
    for place in nulls:
        _put_nan(found, place)
    try:
        return adapter.validate_python(found)
    except ValidationError as problem:
        error = problem.errors(include_url=False)[0]
        raise ModelFormatError(where, f"is damaged: {'.'.join(map(str, error['loc']))}: {error['msg']}") from problem


def _put_nan(found: Any, place: tuple[int | str, ...]) -> None:
    """Put NaN at a place that an error named; where that is not a place in the data, the error comes again."""
    *path, last = place
    try:
        for key in path:
            found = found[key]
        found[last] = nan
    except (KeyError, IndexError, TypeError):
        return
