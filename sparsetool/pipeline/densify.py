"""A sparse model file in, the same model with dense weights out, for readers that know no sparsity."""

from pathlib import Path

from sparsetool.pipeline.artifact import proven
from sparsetool.pipeline.compress import publish
from sparsetool.pipeline.conversion import densified
from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.formats import format_of_output
from sparsetool.pipeline.outputs import check_destination
from sparsetool.pipeline.proof import Prover
from sparsetool.pipeline.request import TIMEOUT_S, VERIFY_SAMPLES, Output
from sparsetool.pipeline.sources import load_source
from sparsetool.report.records import ArtifactRecord
from sparsetool_converters.passes.quantize import Quantization
from sparsetool_converters.samples import RandomSamples, Samples

MAX_OUTPUT = 10**9  # bytes: what a file declares is not to be believed without bound


def densify(
    source: str | Path,
    destination: str | Path,
    *,
    max_output: int = MAX_OUTPUT,
    samples: Samples | None = None,
    force: bool = False,
    timeout_s: float = TIMEOUT_S,
    listener: Listener | None = None,
) -> ArtifactRecord:
    """Store every sparse weight dense, verify the result, and only then write it.

    Weights are compared bit by bit, and outputs on every kernel set. A source that the runtime is known to get wrong
    is no reference for outputs; the record then says so, and the result must only run.

    Args:
        source: anything that `load_source` reads; one without sparse weights is copied.
        destination: `.tflite`, or `.tflz` or `.tflite.zst` for the packed file.
        max_output: the most bytes that all weights made dense may take together.
        samples: samples to compare outputs on; random ones by default.
        force: whether an existing destination is replaced.
        timeout_s: seconds for each run of a model.
        listener: hears of progress.

    Raises:
        SparseToolError: whatever went wrong; the destination is then as it was before.
    """
    source, destination, listener = Path(source), Path(destination), listener or Silence()
    written = format_of_output(destination)
    check_destination(destination, force=force)
    conversion = densified(load_source(source), where=str(source), max_output_bytes=max_output)
    prover = Prover(
        RandomSamples(n_samples=VERIFY_SAMPLES) if samples is None else samples, timeout_s=timeout_s, listener=listener
    )
    artifact = proven(conversion, Quantization.NONE, name=destination.name, prover=prover, written=written)
    publish(Output.of(artifact, written), destination)
    return artifact.record
