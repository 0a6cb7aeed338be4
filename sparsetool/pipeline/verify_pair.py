"""Compare any two models: what they show, their weights, and what they answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import sparsetool
from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.identity import identify, processor
from sparsetool.pipeline.pair_outputs import ANYTHING, Task, compare_pair
from sparsetool.pipeline.proof import COMPACTED, EXACT, HYBRID, LOSSY, is_hybrid, narrowest
from sparsetool.pipeline.request import TIMEOUT_S, VERIFY_SAMPLES
from sparsetool.pipeline.sources import load_source
from sparsetool.pipeline.versions import installed_versions
from sparsetool.report.verification_record import DataIdentity, VerificationFinding, VerificationRecord
from sparsetool.verify import Tolerance, require_runtime
from sparsetool.verify.scales import scale_findings
from sparsetool.verify.structure import structure_findings
from sparsetool.verify.weight_comparison import WeightComparison, compare_weights
from sparsetool.verify.wiring import wiring_findings
from sparsetool_converters.errors import TargetError
from sparsetool_converters.model import Model
from sparsetool_converters.model.decode_operator import has_decode
from sparsetool_converters.passes import Densify
from sparsetool_converters.passes.densify import MAX_OUTPUT_BYTES
from sparsetool_converters.samples import RandomSamples, SampleSource, gather_samples, sample_count
from sparsetool_converters.samples_digest import samples_digest
from sparsetool_converters.targets import LITERT, TFLM, Target, target_named
from sparsetool_converters.targets.lint import lint_errors
from sparsetool_converters.weights import weight_sites

RANDOM = "random"


def verify_pair(
    reference: str | Path,
    candidate: str | Path,
    *,
    samples: SampleSource | None = None,
    tolerance: float | None = None,
    task: Task | None = None,
    target: str | None = None,
    bisect: bool = False,
    timeout_s: float = TIMEOUT_S,
    samples_name: str = "samples",
    asked: Mapping[str, str | None] | None = None,
    listener: Listener | None = None,
) -> VerificationRecord:
    """Compare two models: what they show to callers and their weights without a runtime, then their outputs.

    Both are run on the same samples, every signature, on every kernel set of the target, each time in a process of its
    own. Where the reference is stored sparse in a way that the runtime gets wrong, its dense twin is run for it.

    Args:
        reference: the model to trust, anything that `load_source` reads.
        candidate: the model to check, likewise.
        samples: what to run, or a function that gives it, see `gather_samples`; random ones by default.
        tolerance: largest error, as a share of an output's largest value; weights and wiring may then differ, too. By
            default 1e-5, or 10 dB of signal over noise where the candidate's weights have other types than the
            reference's; 3 dB for 4 bits, 1 dB for 2.
        task: labels of the samples and, where it is not accuracy, the metric that they are for; with the most that it
            may fall, outputs and weights may be off as far as they like.
        target: name of the runtime; by default the micro runtime where a model is stored for it, else LiteRT.
        bisect: whether to name the first operator whose output leaves the tolerance.
        timeout_s: seconds for each run.
        samples_name: what to call the samples in the record.
        asked: more of what was asked for, by the option's name, to be kept in the record.
        listener: hears of progress.

    Returns:
        Everything that was found, with the verdict.

    Raises:
        TargetError: the reference runs on no kernel set.
        ModelFormatError, EncodingError: either is not a model, or the reference cannot be decoded.
        CalibrationDataError: the samples do not fit the reference.
    """
    paths = Path(reference), Path(candidate)
    wanted, found = loaded = tuple(load_source(path) for path in paths)
    models = [Model.from_bytes(data, where=str(path)) for data, path in zip(loaded, paths, strict=True)]
    given = gather_samples(samples) if samples is not None else RandomSamples(n_samples=VERIFY_SAMPLES)
    chosen = _target(target, models)
    require_runtime(chosen.kernel_sets)
    comparison = compare_weights(wanted, found)
    limit, lossy = _limit(wanted, found, paths, tolerance, comparison)
    static = _static_findings(wanted, found, comparison, lossy=lossy)
    notes = list(comparison.notes)
    gated = task is not None and task.max_drop is not None
    if gated and tolerance is None:
        limit = ANYTHING
    if tolerance is not None or gated:  # whoever says what may be lost expects weights to differ
        notes += [str(finding) for finding in static if finding.kind != "structure"]
        static = [finding for finding in static if finding.kind == "structure"]
    runnable, doubt = _runnable_reference(wanted, LITERT if target is None else chosen)
    notes += [doubt] if doubt else []
    if target is None and chosen is TFLM:
        runnable, found = _for_micro(runnable), _for_micro(found)
    outputs = compare_pair(
        runnable,
        found,
        given,
        kernel_sets=chosen.kernel_sets,
        tolerance=limit,
        timeout_s=timeout_s,
        bisect=bisect,
        task=task,
        listener=listener or Silence(),
    )
    findings = _gravest_first([*static, *outputs.findings, *_target_findings(found, chosen)])
    return VerificationRecord(
        reference=identify(paths[0], loaded[0]),
        candidate=identify(paths[1], loaded[1]),
        target=chosen.name,
        data=DataIdentity(
            name=RANDOM if samples is None else samples_name,
            sha256=samples_digest(given),
            samples=sample_count(given),
        ),
        versions={"sparsetool": sparsetool.__version__, **installed_versions(*_runtimes(chosen), "numpy")},
        processor=processor(),
        settings={
            "tolerance": tolerance,
            "max_drop": None if task is None else task.max_drop,
            "labels_sha256": None if task is None else samples_digest(task.labels),
            "target": target,
            "bisect": bisect,
            "timeout_s": timeout_s,
            **(asked or {}),
        },
        weights=comparison.records,
        runs=outputs.runs,
        outputs=outputs.records,
        metric=outputs.metric,
        gates=outputs.gates,
        findings=findings,
        notes=(*notes, *outputs.notes),
        bisected=outputs.bisected,
        verdict="fail" if findings else "pass",
        exit_code=findings[0].exit_code if findings else 0,
    )


def _target(name: str | None, models: Sequence[Model]) -> Target:
    if name is not None:
        return target_named(name)
    return TFLM if any(map(has_decode, models)) else LITERT


def _runtimes(target: Target) -> tuple[str, ...]:
    return ("tflite-micro",) if target is TFLM else ("ai-edge-litert",)


def _limit(
    wanted: bytes,
    found: bytes,
    paths: Sequence[Path],
    tolerance: float | None,
    comparison: WeightComparison,
) -> tuple[Tolerance, bool]:
    """What outputs have to keep, and whether the candidate's weights have other types than the reference's."""
    ours, theirs = (_weight_types(data, path) for data, path in zip((wanted, found), paths, strict=True))
    lossy = ours != theirs
    if tolerance is not None:
        return Tolerance(max_relative_error=tolerance), lossy
    if lossy:
        return LOSSY[min(8, narrowest(theirs))], lossy
    if is_hybrid(wanted):
        return HYBRID, lossy
    return COMPACTED if comparison.restructured else EXACT, lossy


def _static_findings(
    wanted: bytes, found: bytes, comparison: WeightComparison, *, lossy: bool
) -> list[VerificationFinding]:
    """All that is wrong with the candidate by what stands in the files."""
    models = Model.from_bytes(wanted), Model.from_bytes(found)
    return [
        *structure_findings(*models, same_types=not lossy),
        *comparison.findings,
        *scale_findings(*models),
        *wiring_findings(*models),
    ]


def _target_findings(candidate: bytes, target: Target) -> list[VerificationFinding]:
    """What the target is known to get wrong, whatever this run of it answered."""
    return [
        VerificationFinding(
            kind="target", where=error.tensor, problem=f"{error.op}: {error.effect}", exit_code=TargetError.exit_code
        )
        for error in lint_errors(Model.from_bytes(candidate), target)
    ]


def _gravest_first(findings: Sequence[VerificationFinding]) -> tuple[VerificationFinding, ...]:
    """What the target refuses to run, then all that is wrong with this model, then what the target's table tells."""
    return tuple(sorted(findings, key=lambda f: (f.exit_code != TargetError.exit_code) + 2 * (f.kind == "target")))


def _runnable_reference(data: bytes, target: Target) -> tuple[bytes, str]:
    """The reference as it can be run, and why that is not as it stands in the file; empty if it is."""
    model = Model.from_bytes(data)
    errors = () if has_decode(model) else lint_errors(model, target)
    if not errors or not Densify(max_output_bytes=MAX_OUTPUT_BYTES)(model):
        return data, ""
    return model.to_bytes(), f"the reference is run with dense weights, since as stored it is no reference: {errors[0]}"


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
