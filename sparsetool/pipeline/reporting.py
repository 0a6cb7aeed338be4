"""A folder of results in, a report out: as a record, and as a page beside the results."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.formats import Format, unpacked
from sparsetool.pipeline.outputs import check_destination, write
from sparsetool.pipeline.record_folder import RUN
from sparsetool.pipeline.report_pictures import draw_pictures
from sparsetool.report.bench_record import BenchRecord
from sparsetool.report.html import render
from sparsetool.report.measured_record import MeasuredArtifact, MeasuredRecord
from sparsetool.report.pruning_record import NUMBERS, PruningRecord, read_record
from sparsetool.report.reading import read_document
from sparsetool.report.records import RunRecord, as_json
from sparsetool.report.report_record import ReportRecord
from sparsetool_converters.errors import ModelFormatError, SparseToolError

MEASURED, PAGE = "measured.json", "report.html"
RUN_KIND, MEASURED_KIND, REPORT_KIND = "run", "measured", "report"
TIME_S = 4.0  # of timing each artifact, unless ten rounds take longer
MAKE_RUN = "make one with sparsetool run RECIPE, or sparsetool compress MODEL -o OUT --record DIR"
MEASURE_ANEW = "it is made anew"


class Bench(Protocol):
    """Times two models in turn."""

    def __call__(
        self, reference: bytes, candidate: bytes, *, names: tuple[str, str], listener: Listener
    ) -> BenchRecord: ...


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was made.

    Attributes:
        record: all that the report shows.
        page: where the page is.
    """

    record: ReportRecord
    page: Path


def report_run(
    folder: Path,
    output: Path | None = None,
    *,
    bench: Bench | None,
    force: bool = False,
    listener: Listener | None = None,
) -> Report:
    """Make a report of a finished run.

    Latency and memory are measured once and kept in the folder, as long as the models there stay the same; so a second
    report has the same bytes. What cannot be measured or drawn is said on the page.

    Args:
        folder: where `run.json` and the models are.
        output: the page, by default `report.html` in the folder.
        bench: times a model beside the first one; None to show only what was measured before.
        force: whether another page of this name may be replaced; the folder's own one always is.
        listener: hears of progress.

    Raises:
        ModelFormatError: there is no record of a run, or it is damaged.
        MissingExtraError: what draws pages and pictures is not installed.
        OutputError: the page exists already or cannot be written.
    """
    listener = listener or Silence()
    run = read_document(folder / RUN, RUN_KIND, RunRecord, way_out=MAKE_RUN)
    if not run.artifacts:
        raise ModelFormatError(str(folder / RUN), f"tells of no model; {MAKE_RUN}")
    page = output or folder / PAGE
    check_destination(page, force=force or output is None)
    missing: list[str] = []
    models = _models(folder, run, missing)
    pruning = _pruning(folder, run, missing)
    measured = _measured(folder, run, models, bench, missing, listener)
    record = ReportRecord(
        run=run,
        pruning=None if pruning is None else pruning.numbers,
        measured=measured,
        missing=tuple(missing),
    )
    content = render(record, draw_pictures(models, pruning, listener=listener)).encode("utf-8", "backslashreplace")
    write(page, content)
    return Report(record=record, page=page)


def _models(folder: Path, run: RunRecord, missing: list[str]) -> dict[str, bytes]:
    """The artifacts' bytes by their names, of those that are there and have the size that was recorded."""
    found = {}
    for artifact in run.artifacts:
        try:
            data = _model(folder, artifact.name)
        except (OSError, SparseToolError) as problem:
            told = problem.strerror if isinstance(problem, OSError) else problem
            missing.append(f"The model {artifact.name} is neither drawn nor measured: {told}")
            continue
        if len(data) != artifact.sizes.disk:
            missing.append(
                f"The model {artifact.name} is neither drawn nor measured: the file has {len(data):,} bytes, its "
                f"record {artifact.sizes.disk:,}; it is of another run"
            )
            continue
        found[artifact.name] = data
    return found


def _model(folder: Path, name: str) -> bytes:
    if Path(name).name != name:  # the record is a file, too, and may ask for any path
        raise ModelFormatError(name, "is no name of a file in the folder")
    path = folder / f"{name}{Format.TFLITE.suffix}"
    packed_path = folder / f"{name}{Format.TFLZ.suffix}"
    if not path.is_file() and packed_path.is_file():
        return unpacked(packed_path.read_bytes(), Format.TFLZ, where=str(packed_path))
    return path.read_bytes()


def _pruning(folder: Path, run: RunRecord, missing: list[str]) -> PruningRecord | None:
    if run.training is None or not (folder / NUMBERS).is_file():
        return None
    try:
        return read_record(folder)
    except SparseToolError as problem:
        missing.append(f"The record of pruning is not shown: {problem}")
        return None


def _measured(
    folder: Path,
    run: RunRecord,
    models: Mapping[str, bytes],
    bench: Bench | None,
    missing: list[str],
    listener: Listener,
) -> tuple[MeasuredArtifact, ...]:
    """Each artifact beside the first one, from the folder's memory or measured now."""
    first, *others = run.artifacts
    if first.name not in models:
        missing.append(f"Nothing can be measured beside {first.name}, whose file is not there")
        return ()
    known = {(m.reference_sha256, m.sha256): m for m in _remembered(folder, listener)}
    reference = models[first.name]
    reference_sha256 = hashlib.sha256(reference).hexdigest()
    found = []
    for artifact in others:
        if artifact.name not in models:
            continue
        candidate = models[artifact.name]
        sha256 = hashlib.sha256(candidate).hexdigest()
        remembered = known.get((reference_sha256, sha256))
        if remembered is not None and remembered.artifact == artifact.name:
            found.append(remembered)
            continue
        if bench is None:
            continue
        listener.note(f"measure {artifact.name} beside {first.name} ...")
        try:
            timed = bench(reference, candidate, names=(first.name, artifact.name), listener=listener)
        except SparseToolError as problem:
            missing.append(f"{artifact.name} was not measured: {problem}")
            continue
        found.append(
            MeasuredArtifact(artifact=artifact.name, reference_sha256=reference_sha256, sha256=sha256, bench=timed)
        )
    if any(m not in known.values() for m in found):
        document = as_json(MEASURED_KIND, MeasuredRecord(artifacts=tuple(found)))
        write(folder / MEASURED, (json.dumps(document, indent=1) + "\n").encode())
    return tuple(found)


def _remembered(folder: Path, listener: Listener) -> tuple[MeasuredArtifact, ...]:
    path = folder / MEASURED
    if not path.is_file():
        return ()
    try:
        return read_document(path, MEASURED_KIND, MeasuredRecord, way_out=MEASURE_ANEW).artifacts
    except ModelFormatError as problem:
        listener.note(f"{problem}; {MEASURE_ANEW}")
        return ()
