"""Limits that an artifact's outputs must keep end to end, against the float model that it was made from."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

from sparsetool.pipeline.proof import Prover
from sparsetool.report.records import GateRecord
from sparsetool.verify import FinishedRun, KernelSet, OutputComparison, Run, Tolerance, compare_all
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.targets import MICRO_KERNEL_SETS, Target

_MEASURED: Mapping[str, Callable[[OutputComparison], float | None]] = {
    "max_abs_error": lambda c: c.max_abs_error,
    "max_relative_error": lambda c: c.relative_error,
    "min_sqnr_db": lambda c: c.sqnr_db,
    # Where one side is all zeros and the other is not, there is no angle: nothing of the one is in the other.
    "min_cosine": lambda c: (1.0 if c.identical else 0.0) if c.cosine is None else c.cosine,
    "max_kl_divergence": lambda c: c.kl_divergence,
    "min_top1_agreement": lambda c: None if c.top1 is None else c.top1.share,
    "min_top5_agreement": lambda c: None if c.top5 is None else c.top5.share,
}


class BrokenGateError(VerificationError):
    """A limit that an artifact does not keep.

    Attributes:
        gate: the limit, and what was measured.
        kernel_set: the kernels that it was measured on; None where nothing could be measured.
    """

    def __init__(self, artifact: str, output: str, gate: GateRecord, kernel_set: KernelSet | None) -> None:
        self.gate, self.kernel_set = gate, kernel_set
        if gate.value is None:
            found = "no output has enough classes for it; leave it out"
        else:
            where = f", with {kernel_set} kernels" if kernel_set is not None else ""
            found = f"measured {gate.value:.6g}{where}"
        bound = "at most" if gate.metric.startswith("max_") else "at least"
        super().__init__(
            "gate", output, f"{artifact}: {gate.metric} must be {bound} {gate.limit:g} against the float model; {found}"
        )


def output_gates(
    reference: bytes, artifact: bytes, limits: Tolerance, *, prover: Prover, target: Target, name: str
) -> tuple[GateRecord, ...]:
    """Hold an artifact's outputs against limits, on every kernel set of the target that runs the float model.

    Args:
        reference: the float model, as LiteRT runs it.
        artifact: the result.
        limits: those that are given, one gate each.
        prover: runs both.
        target: the runtime that the result is for.
        name: what to call the artifact.

    Returns:
        The worst value of each metric, and where it was seen.

    Raises:
        BrokenGateError: the first limit that is not kept; a value that is no number keeps none.
    """
    asked = {metric: limit for metric, limit in asdict(limits).items() if limit is not None}
    if not asked:
        return ()
    comparisons = compare_all(
        reference_runs(reference, prover, target, name),
        prover.runs(artifact, f"verify {name}", target.kernel_sets),
        tolerance=limits,
    ).comparisons
    return tuple(_gate(metric, limit, comparisons, name) for metric, limit in asked.items())


def reference_runs(reference: bytes, prover: Prover, target: Target, name: str) -> dict[KernelSet, Run]:
    """What the float model answers on LiteRT, by the kernel sets of the target."""
    runs = prover.runs(reference, f"verify {name}")
    finished = [run for run in runs.values() if isinstance(run, FinishedRun)]
    if target.kernel_sets != MICRO_KERNEL_SETS or not finished:
        return runs
    return {kernel_set: replace(finished[-1], kernel_set=kernel_set) for kernel_set in MICRO_KERNEL_SETS}


def _gate(metric: str, limit: float, comparisons: tuple[OutputComparison, ...], name: str) -> GateRecord:
    """The gate of one metric. Raises BrokenGateError."""
    measured = [(value, c) for c in comparisons if (value := _MEASURED[metric](c)) is not None]
    if not measured:
        raise BrokenGateError(name, "", _record(metric, limit, None, "", kept=False), None)
    most = metric.startswith("max_")
    # NaN is worse than any number.
    value, worst = max(measured, key=lambda m: (m[0] != m[0], m[0] if most else -m[0]))
    kept = value <= limit if most else value >= limit
    record = _record(metric, limit, value, f"{worst.output}, {worst.kernel_set}", kept=kept)
    if not kept:
        raise BrokenGateError(name, worst.output, record, worst.kernel_set)
    return record


def _record(metric: str, limit: float, value: float | None, where: str, *, kept: bool) -> GateRecord:
    return GateRecord(metric=metric, limit=limit, value=value, where=where, kept=kept)
