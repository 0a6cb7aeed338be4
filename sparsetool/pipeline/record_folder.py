"""The record of a run and the models that it tells of, as a folder: whole or not at all."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sparsetool.pipeline.artifact import Artifact
from sparsetool.pipeline.formats import Format
from sparsetool.report.finite import finite
from sparsetool.report.records import RunRecord, as_json
from sparsetool_converters.errors import OutputError

RUN = "run.json"
PUBLISHED = (Format.TFLITE, Format.TFLZ)  # of every artifact


def published_files(artifact: str) -> tuple[str, ...]:
    """Names of the files that are published of an artifact."""
    return tuple(f"{artifact}{written.suffix}" for written in PUBLISHED)


def run_document(record: RunRecord) -> bytes:
    """The content of `run.json`; the same record gives the same bytes."""
    return (json.dumps(finite(as_json("run", record)), indent=2, allow_nan=False) + "\n").encode()


def check_record_folder(path: Path, *, force: bool) -> None:
    """Raise OutputError if a record could not be written to this folder, or there is something that must not go.

    A folder is replaced only with `force`, and only if it holds a record and nothing else.
    """
    if not path.parent.is_dir():
        raise OutputError(str(path), f"the folder {path.parent} does not exist")
    if path.exists() and not path.is_dir():
        raise OutputError(str(path), "is a file; name a folder for the record")
    if not path.exists() or not any(path.iterdir()):
        return
    others = sorted({entry.name for entry in path.iterdir()} - _told_of(path))
    if others:
        raise OutputError(str(path), f"holds {others[0]!r}, which is no part of a record; name another folder")
    if not force:
        raise OutputError(str(path), "holds a record already; use --force to replace it")


def write_record_folder(path: Path, record: RunRecord, dense: Artifact, artifacts: Sequence[Artifact]) -> None:
    """Write the record and the models, all of them in both formats but for the dense source.

    Args:
        path: the folder, which `check_record_folder` let pass with `force`; one that is there is replaced.
        record: the record, whose first artifact is the dense source.
        dense: the source.
        artifacts: the other artifacts.

    Raises:
        OutputError: the folder cannot be written, or something else is in it by now.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as temporary:
            made = Path(temporary, "record")
            made.mkdir()
            (made / published_files(dense.record.name)[0]).write_bytes(dense.model)
            for artifact in artifacts:
                model, packed = published_files(artifact.record.name)
                (made / model).write_bytes(artifact.model)
                (made / packed).write_bytes(artifact.packed)
            (made / RUN).write_bytes(run_document(record))
            check_record_folder(path, force=True)
            if path.exists():
                path.rename(Path(temporary, "before"))
            made.rename(path)
    except OSError as problem:
        raise OutputError(str(path), f"cannot be written: {problem.strerror or problem}") from problem


def _told_of(path: Path) -> set[str]:
    """The files that the record in a folder tells of, itself among them; none if there is none."""
    try:
        found = json.loads((path / RUN).read_text("utf-8"))
        names = [artifact["name"] for artifact in found["artifacts"]] if found["kind"] == "run" else []
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {RUN, *(file for name in names for file in published_files(name))}
