"""A model file in, a smaller verified one out."""

from dataclasses import replace
from pathlib import Path

from sparsetool.budget import Budget
from sparsetool.pipeline.artifact import Artifact, make_artifact, proven
from sparsetool.pipeline.conversion import SOURCE, Settings, densified
from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.formats import Format, format_of_output, unpacked
from sparsetool.pipeline.outputs import check_destination, staged
from sparsetool.pipeline.proof import Prover
from sparsetool.pipeline.record_folder import check_record_folder, write_record_folder
from sparsetool.pipeline.size_meter import SizeMeter
from sparsetool.pipeline.sources import load_source
from sparsetool.report.records import ArtifactRecord, RunRecord
from sparsetool_converters.errors import OutputError, VerificationError
from sparsetool_converters.passes.quantize import Quantization, check_calibration
from sparsetool_converters.samples import RandomSamples, SampleSource, gather_samples

VERIFY_SAMPLES = 8  # random ones, where no data is given
TIMEOUT_S = 600.0


def compress(
    source: str | Path,
    destination: str | Path,
    settings: Settings | None = None,
    *,
    calibration: SampleSource | None = None,
    samples: SampleSource | None = None,
    budget: Budget | None = None,
    force: bool = False,
    timeout_s: float = TIMEOUT_S,
    record: str | Path | None = None,
    listener: Listener | None = None,
) -> ArtifactRecord:
    """Convert a model, verify the result, and only then write it.

    Args:
        source: `.tflite`, `.tflz`, `.tflite.zst`, `.keras` or a SavedModel folder.
        destination: `.tflite` for the file that the runtime maps, `.tflz` or `.tflite.zst` for the packed one.
        settings: what to do; by default compact and encode, without quantization.
        calibration: samples for recipes that need them, or a function that gives them, see
            `sparsetool_converters.samples.gather_samples`; also used for verification if `samples` is not given.
        samples: samples to compare outputs on, likewise; random ones by default.
        budget: sizes that the result must not exceed.
        force: whether an existing destination is replaced.
        timeout_s: seconds for each run of a model.
        record: folder for the record of a run without training: `run.json`, the dense source as `source.tflite`, and
            the result in both formats, by the destination's name. It must not exist or be empty, or with `force` hold
            such a record. All sizes are then measured after each stage, too.
        listener: hears of progress.

    Returns:
        Everything that was measured.

    Raises:
        SparseToolError: whatever went wrong; the destination is then as it was before.
    """
    source, destination = Path(source), Path(destination)
    settings, listener = settings or Settings(), listener or Silence()
    written = format_of_output(destination)
    check_destination(destination, force=force)
    name = destination.name.removesuffix(written.suffix)
    folder = None if record is None else Path(record)
    if folder is not None:
        _check_record(folder, destination, name, force=force)
    check_calibration(settings.quantize, settings.quantize_layers, calibration)  # before anything that takes long
    calibration = None if calibration is None else gather_samples(calibration)
    samples = None if samples is None else gather_samples(samples)
    model = load_source(source)
    if samples is None:
        samples = calibration if calibration is not None else RandomSamples(n_samples=VERIFY_SAMPLES)
    prover, meter = Prover(samples, timeout_s=timeout_s, listener=listener), SizeMeter()
    artifact = make_artifact(
        model,
        settings,
        name=destination.name,
        where=str(source),
        prover=prover,
        calibration=calibration,
        listener=listener,
        written=written,
        meter=None if folder is None else meter,
    )
    sizes = artifact.record.sizes
    (budget or Budget()).check(destination.name, disk_bytes=sizes.disk, wire_bytes=sizes.wire)
    if folder is not None:
        dense = proven(densified(model, where=str(source)), Quantization.NONE, name=SOURCE, prover=prover, meter=meter)
        packed, all_sizes = meter.measure(artifact.model)
        result = replace(artifact, packed=packed, record=replace(artifact.record, name=name, sizes=all_sizes))
        told = RunRecord(recipe=source.name, training=None, artifacts=(dense.record, result.record))
        write_record_folder(folder, told, dense, [result])
    write_artifact(artifact, destination, written)
    return artifact.record


def _check_record(folder: Path, destination: Path, name: str, *, force: bool) -> None:
    check_record_folder(folder, force=force)
    if destination.resolve().is_relative_to(folder.resolve()):
        raise OutputError(str(destination), f"lies in the folder of the record, {folder}; it would go with it")
    if name == SOURCE:
        raise OutputError(str(destination), f"the record calls the dense source {SOURCE}; name the output otherwise")


def write_artifact(artifact: Artifact, destination: Path, written: Format) -> None:
    """Write the model, packed or not, and read it back before anything is replaced."""
    with staged(destination) as temporary:
        temporary.write_bytes(artifact.model if written is Format.TFLITE else artifact.packed)
        check_written(temporary, artifact.model, written)


def check_written(path: Path, model: bytes, written: Format) -> None:
    """Raise VerificationError unless the file, as read back from disk, holds exactly the model that was verified."""
    if unpacked(path.read_bytes(), written, where=str(path)) != model:
        raise VerificationError("pack", "", "the file on disk does not hold the bytes that were verified")
