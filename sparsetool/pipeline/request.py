"""One conversion that is asked for: what goes in, what is done to it, and the file that comes out."""

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sparsetool.pipeline.artifact import NO_LIMITS, Artifact, make_artifact
from sparsetool.pipeline.conversion import Settings
from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.formats import Format, format_of_output, unpacked
from sparsetool.pipeline.identity import sha256_of
from sparsetool.pipeline.proof import Prover
from sparsetool.pipeline.size_meter import SizeMeter
from sparsetool.pipeline.sources import load_source
from sparsetool.pipeline.versions import installed_versions, source_digest
from sparsetool.recipe import RANDOM_SAMPLES
from sparsetool.report.records import ArtifactRecord
from sparsetool.verify import Tolerance
from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.samples import RandomSamples, Samples
from sparsetool_converters.samples_digest import samples_digest

VERIFY_SAMPLES = RANDOM_SAMPLES  # where no data is given
TIMEOUT_S = 600.0
_BYTES_DEPEND_ON = ("ai-edge-litert", "litert-quantizer", "numpy", "tensorflow", "tflite-micro", "zstandard")


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """A model to convert.

    Attributes:
        source: anything that `load_source` reads.
        output: where the result belongs; its name tells the format.
        settings: what to do.
        calibration: samples for recipes that need them.
        samples: samples to compare outputs on, by default those of the calibration, else random ones.
        limits: what outputs must keep end to end.
        timeout_s: seconds for each run of a model.
    """

    source: Path
    output: Path
    settings: Settings
    calibration: Samples | None = None
    samples: Samples | None = None
    limits: Tolerance = NO_LIMITS
    timeout_s: float = TIMEOUT_S

    @property
    def written(self) -> Format:
        """How the result is written. Raises UsageError for a name that tells none."""
        return format_of_output(self.output)

    @property
    def name(self) -> str:
        """What budgets, baselines and records of a run call the result: its file's name without suffix."""
        return self.output.name.removesuffix(self.written.suffix)

    def prover(self, listener: Listener) -> Prover:
        """What verifies the result, on the samples of this request."""
        samples = self.calibration if self.samples is None else self.samples
        return Prover(
            RandomSamples(n_samples=VERIFY_SAMPLES) if samples is None else samples,
            timeout_s=self.timeout_s,
            listener=listener,
        )

    def key(self) -> dict[str, Any]:
        """All that the result depends on, as plain data; neither a path nor how long it may take is part of it.

        Raises:
            ModelFormatError: the source cannot be read.
        """
        return {
            "source": [self.source.suffix, _content_digest(self.source)],
            "name": self.output.name,
            "settings": asdict(self.settings),
            "limits": asdict(self.limits),
            "calibration": _digest(self.calibration),
            "samples": _digest(self.samples),
            "versions": installed_versions(*_BYTES_DEPEND_ON),
            "code": [source_digest("sparsetool"), source_digest("sparsetool_converters")],
            "machine": platform.machine(),  # what was verified on one processor was not on another
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Output:
    """A converted and verified model as it is written.

    Attributes:
        model: bytes of the `.tflite`.
        content: bytes of the file.
        record: everything that was measured.
    """

    model: bytes
    content: bytes
    record: ArtifactRecord

    @classmethod
    def of(cls, artifact: Artifact, written: Format) -> "Output":
        """An artifact in the format that it is to be written in."""
        content = artifact.model if written is Format.TFLITE else artifact.packed
        return cls(model=artifact.model, content=content, record=artifact.record)

    @classmethod
    def stored(cls, path: Path, record: ArtifactRecord) -> "Output":
        """One that was written before.

        Raises:
            ModelFormatError: it is damaged.
        """
        content = path.read_bytes()
        return cls(model=unpacked(content, format_of_output(path), where=str(path)), content=content, record=record)


def carry_out(request: Request, *, listener: Listener, prover: Prover, meter: SizeMeter | None = None) -> Artifact:
    """Convert and verify, and write nothing.

    Raises:
        SparseToolError: whatever went wrong.
    """
    return make_artifact(
        load_source(request.source),
        request.settings,
        name=request.output.name,
        where=str(request.source),
        prover=prover,
        calibration=request.calibration,
        listener=listener,
        written=request.written,
        meter=meter,
        limits=request.limits,
    )


def _digest(samples: Samples | None) -> str | None:
    return None if samples is None else samples_digest(samples)


def _content_digest(source: Path) -> str:
    try:
        return sha256_of(source)
    except OSError as problem:
        raise ModelFormatError(str(source), f"cannot be read: {problem.strerror}") from problem
