"""The sizes that were accepted last: a file to commit beside the models."""

import json
from collections.abc import Mapping
from pathlib import Path

from sparsetool.pipeline.outputs import write
from sparsetool.report.reading import read_document
from sparsetool.report.records import Sizes, as_json
from sparsetool.report.size_records import BaselineEntry, BaselineRecord
from sparsetool_converters.errors import ModelFormatError, UsageError

BASELINE_KIND = "baseline"
WAY_OUT = "--update-baseline writes it"


def read_baseline(path: Path) -> dict[str, Sizes]:
    """Sizes by the artifacts' names.

    Raises:
        UsageError: there is no such file, or it is no baseline.
    """
    try:
        record = read_document(path, BASELINE_KIND, BaselineRecord, way_out=WAY_OUT)
    except ModelFormatError as problem:
        raise UsageError(f"baseline {problem}") from problem
    return {entry.name: entry.sizes for entry in record.artifacts}


def update_baseline(path: Path, measured: Mapping[str, Sizes]) -> None:
    """Accept these sizes; those of other artifacts stay, and the file is left alone if nothing changes.

    Raises:
        UsageError: what is there is no baseline.
        OutputError: the file cannot be written.
    """
    sizes = {**(read_baseline(path) if path.exists() else {}), **measured}
    record = BaselineRecord(artifacts=tuple(BaselineEntry(name=name, sizes=sizes[name]) for name in sorted(sizes)))
    write(path, (json.dumps(as_json(BASELINE_KIND, record), indent=2) + "\n").encode())
