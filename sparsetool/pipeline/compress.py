"""A model file in, a smaller verified one out."""

import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sparsetool.pipeline.artifact import proven
from sparsetool.pipeline.cache import Cache
from sparsetool.pipeline.conversion import SOURCE, Settings, densified
from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.formats import Format, format_of_output, unpacked
from sparsetool.pipeline.outputs import check_destination, holds, staged
from sparsetool.pipeline.record_folder import check_record_folder, write_record_folder
from sparsetool.pipeline.request import TIMEOUT_S, Output, Request, carry_out
from sparsetool.pipeline.size_gate import SizeGate
from sparsetool.pipeline.size_meter import SizeMeter
from sparsetool.pipeline.sources import load_source
from sparsetool.report.records import ArtifactRecord, RunRecord
from sparsetool_converters.errors import OutputError, VerificationError
from sparsetool_converters.passes.quantize import Quantization, check_calibration
from sparsetool_converters.samples import SampleSource, gather_samples

COMPRESS = "compress"  # the kind of result, in caches
_RECORD = TypeAdapter(ArtifactRecord)


def compress(
    source: str | Path,
    destination: str | Path,
    settings: Settings | None = None,
    *,
    calibration: SampleSource | None = None,
    samples: SampleSource | None = None,
    gate: SizeGate | None = None,
    force: bool = False,
    timeout_s: float = TIMEOUT_S,
    record: str | Path | None = None,
    cache: Cache | None = None,
    listener: Listener | None = None,
) -> ArtifactRecord:
    """Convert a model, verify the result, and only then write it; a destination that holds it already is left alone.

    Args:
        source: `.tflite`, `.tflz`, `.tflite.zst`, `.keras` or a SavedModel folder.
        destination: `.tflite` for the file that the runtime maps, `.tflz` or `.tflite.zst` for the packed one.
        settings: what to do; by default compact and encode, without quantization.
        calibration: samples for recipes that need them, or a function that gives them, see
            `sparsetool_converters.samples.gather_samples`; also used for verification if `samples` is not given.
        samples: samples to compare outputs on, likewise; random ones by default.
        gate: limits on the result's sizes.
        force: whether an existing destination is replaced.
        timeout_s: seconds for each run of a model.
        record: folder for the record of a run without training: `run.json`, the dense source as `source.tflite`, and
            the result in both formats, by the destination's name. It must not exist or be empty, or with `force` hold
            such a record. All sizes are then measured after each stage, too.
        cache: where results of earlier calls are; one that is there is not made again, but for a `record`.
        listener: hears of progress.

    Returns:
        Everything that was measured.

    Raises:
        SparseToolError: whatever went wrong; the destination is then as it was before.
    """
    settings = settings or Settings()
    check_calibration(settings.quantize, settings.quantize_layers, calibration)  # before samples are read
    check_destination(Path(destination), force=force)
    request = Request(
        source=Path(source),
        output=Path(destination),
        settings=settings,
        calibration=None if calibration is None else gather_samples(calibration),
        samples=None if samples is None else gather_samples(samples),
        timeout_s=timeout_s,
    )
    folder = None if record is None else Path(record)
    return compress_one(request, gate=gate, force=force, record=folder, cache=cache, listener=listener)


def compress_one(
    request: Request,
    *,
    gate: SizeGate | None = None,
    force: bool = False,
    record: Path | None = None,
    cache: Cache | None = None,
    before_writing: Callable[[Output], None] | None = None,
    listener: Listener | None = None,
) -> ArtifactRecord:
    """Carry out a request, and write its output; the arguments are those of `compress`.

    With `before_writing`, a result is first shown to that, which raises if it must not be written.

    Raises:
        SparseToolError: whatever went wrong; the output is then as it was before.
    """
    listener, gate = listener or Silence(), gate or SizeGate()
    check_destination(request.output, force=force)
    if record is not None:
        _check_record(record, request.output, request.name, force=force)
        return _recorded(request, record, gate, listener, before_writing)
    output = _made(request, listener) if cache is None else _cached(request, cache, listener)
    passed = gate.passed(request.name, output.model, output.record)
    if before_writing is not None:
        before_writing(output)
    publish(output, request.output)
    return passed


def save_output(request: Request, folder: Path, *, listener: Listener) -> dict[str, Any]:
    """Make a result and write it into a folder, under the name of its output; returns its record as plain data.

    Raises:
        SparseToolError: whatever went wrong.
    """
    output = _made(request, listener)
    (folder / request.output.name).write_bytes(output.content)
    return asdict(output.record)


def stored_output(request: Request, folder: Path, record: dict[str, Any]) -> Output:
    """What `save_output` wrote, and returned."""
    return Output.stored(folder / request.output.name, _RECORD.validate_python(record))


def _made(request: Request, listener: Listener) -> Output:
    artifact = carry_out(request, listener=listener, prover=request.prover(listener))
    return Output.of(artifact, request.written)


def _cached(request: Request, cache: Cache, listener: Listener) -> Output:
    with tempfile.TemporaryDirectory(prefix="sparsetool-cached-") as name:
        folder = Path(name)
        record = cache.made(
            COMPRESS,
            request.key(),
            (request.output.name,),
            lambda destination: save_output(request, destination, listener=listener),
            folder,
        )
        return stored_output(request, folder, record)


def _recorded(
    request: Request,
    folder: Path,
    gate: SizeGate,
    listener: Listener,
    before_writing: Callable[[Output], None] | None,
) -> ArtifactRecord:
    """Make a result with a record of a whole run, and write both."""
    prover, meter = request.prover(listener), SizeMeter()
    artifact = carry_out(request, listener=listener, prover=prover, meter=meter)
    passed = gate.passed(request.name, artifact.model, artifact.record)
    if before_writing is not None:
        before_writing(Output.of(artifact, request.written))
    source = densified(load_source(request.source), where=str(request.source))
    dense = proven(source, Quantization.NONE, name=SOURCE, prover=prover, meter=meter)
    packed, all_sizes = meter.measure(artifact.model)
    result = replace(artifact, packed=packed, record=replace(passed, name=request.name, sizes=all_sizes))
    told = RunRecord(recipe=request.source.name, training=None, artifacts=(dense.record, result.record))
    write_record_folder(folder, told, dense, [result])
    publish(Output.of(artifact, request.written), request.output)
    return passed


def _check_record(folder: Path, destination: Path, name: str, *, force: bool) -> None:
    check_record_folder(folder, force=force)
    if destination.resolve().is_relative_to(folder.resolve()):
        raise OutputError(str(destination), f"lies in the folder of the record, {folder}; it would go with it")
    if name == SOURCE:
        raise OutputError(str(destination), f"the record calls the dense source {SOURCE}; name the output otherwise")


def publish(output: Output, destination: Path, *, within: Path | None = None) -> None:
    """Write a result and read it back before anything is replaced; a file that holds it already is left alone.

    Args:
        output: the result.
        destination: where it belongs.
        within: a folder for the temporary file, see `staged`.

    Raises:
        OutputError: it cannot be written.
    """
    if holds(destination, output.content):
        return
    with staged(destination, within=within) as temporary:
        temporary.write_bytes(output.content)
        check_written(temporary, output.model, format_of_output(destination))


def check_written(path: Path, model: bytes, written: Format) -> None:
    """Raise VerificationError unless the file, as read back from disk, holds exactly the model that was verified."""
    if unpacked(path.read_bytes(), written, where=str(path)) != model:
        raise VerificationError("pack", "", "the file on disk does not hold the bytes that were verified")
