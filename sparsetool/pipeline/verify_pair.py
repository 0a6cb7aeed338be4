"""Compare any two models by running both."""

from dataclasses import dataclass
from pathlib import Path

from sparsetool.pipeline.compress import TIMEOUT_S, VERIFY_SAMPLES
from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.proof import (
    EXACT,
    HYBRID,
    LOSSY,
    Prover,
    is_hybrid,
    kernel_sets_for,
    narrowest,
    output_records,
)
from sparsetool.pipeline.sources import load_source
from sparsetool.report.records import OutputRecord
from sparsetool.verify import Tolerance, compare_runs, require_runtime
from sparsetool.verify.structure import check_structure
from sparsetool_converters.model import Model
from sparsetool_converters.model.decode_operator import has_decode
from sparsetool_converters.passes import Densify
from sparsetool_converters.passes.densify import MAX_OUTPUT_BYTES
from sparsetool_converters.samples import RandomSamples, SampleSource, gather_samples
from sparsetool_converters.targets import LITERT_KERNEL_SETS
from sparsetool_converters.weights import weight_sites

STAGE = "verify"


@dataclass(frozen=True, kw_only=True)
class PairRecord:
    """What comparing two models measured.

    Attributes:
        outputs: every output on every kernel set that runs the reference.
        skipped: kernel sets that do not, with the reason.
    """

    outputs: tuple[OutputRecord, ...]
    skipped: tuple[str, ...]


def verify_pair(
    reference: str | Path,
    candidate: str | Path,
    *,
    samples: SampleSource | None = None,
    tolerance: float | None = None,
    timeout_s: float = TIMEOUT_S,
    listener: Listener | None = None,
) -> PairRecord:
    """Run both models on the same samples on every kernel set, or on the micro runtime if one is made for it.

    Args:
        reference: the model to trust, anything that `load_source` reads.
        candidate: the model to check.
        samples: what to run, or a function that gives it, see `gather_samples`; random ones by default.
        tolerance: largest error, as a share of an output's largest value. By default 1e-5, or 10 dB of signal over
            noise where the candidate's weights have other types than the reference's; 3 dB for 4 bits, 1 dB for 2.
        timeout_s: seconds for each run.
        listener: hears of progress.

    Raises:
        VerificationError: other inputs, outputs or signatures, or outputs outside of the tolerance.
        TargetError: the reference runs on no kernel set.
        ModelFormatError: either is not a model.
    """
    wanted, found = load_source(Path(reference)), load_source(Path(candidate))
    lossy = _weight_types(wanted, reference) != _weight_types(found, candidate)
    check_structure(wanted, found, stage=STAGE, same_types=not lossy)
    prover = Prover(
        gather_samples(samples) if samples is not None else RandomSamples(n_samples=VERIFY_SAMPLES),
        timeout_s=timeout_s,
        listener=listener or Silence(),
    )
    if tolerance is not None:
        limit = Tolerance(max_relative_error=tolerance)
    elif lossy:
        limit = LOSSY[min(8, narrowest(_weight_types(found, candidate)))]
    else:
        limit = HYBRID if is_hybrid(wanted) else EXACT
    kernel_sets = kernel_sets_for(wanted, found)
    require_runtime(kernel_sets)
    models = [wanted, found] if kernel_sets == LITERT_KERNEL_SETS else [_for_micro(wanted), _for_micro(found)]
    runs = [prover.runs(model, STAGE, kernel_sets) for model in models]
    verified = compare_runs(runs[0], runs[1], tolerance=limit, stage=STAGE)
    return PairRecord(
        outputs=output_records(STAGE, verified),
        skipped=tuple(f"{s.kernel_set}: {s.problem}" for s in verified.skipped),
    )


def _for_micro(data: bytes) -> bytes:
    """The model with its weights dense where they are stored sparse, which the micro runtime would not notice."""
    model = Model.from_bytes(data)
    if has_decode(model) or not Densify(max_output_bytes=MAX_OUTPUT_BYTES)(model):
        return data
    return model.to_bytes()


def _weight_types(data: bytes, path: str | Path) -> list[str]:
    model = Model.from_bytes(data, where=str(path))
    Densify(max_output_bytes=MAX_OUTPUT_BYTES)(model)  # behind some operators weights are hard to see
    return [site.use.weight for site in weight_sites(model)]
