"""One source to one verified artifact, in memory; and what is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sparsetool.pipeline.conversion import ENCODE, QUANTIZE, Conversion, Settings, Stage, convert
from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.fault import Blame
from sparsetool.pipeline.findings import findings_of
from sparsetool.pipeline.formats import Format
from sparsetool.pipeline.gate import check_lint
from sparsetool.pipeline.output_gates import output_gates
from sparsetool.pipeline.proof import Prover
from sparsetool.pipeline.size_meter import SizeMeter
from sparsetool.recipe_fields import OnFailure
from sparsetool.report.records import ArtifactRecord, KeptRecord, QuantizedRecord, StageRecord, TensorRecord
from sparsetool.verify import Tolerance, require_runtime
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.passes.kept_zeros import QuantizedWeight
from sparsetool_converters.plan import Encode, Keep, Plan
from sparsetool_converters.samples import Samples
from sparsetool_converters.targets import LITERT, Target, target_named

NO_LIMITS = Tolerance()
MAX_KEPT = 32  # weights of one artifact: where more break it, it is not the weights that are at fault
_STAYS = {ENCODE: "dense", QUANTIZE: "unquantized"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Artifact:
    """A converted and verified model.

    Attributes:
        model: bytes of the .tflite.
        packed: bytes of the file that travels.
        stages: the model after each stage.
        record: everything measured on the way.
    """

    model: bytes
    packed: bytes
    stages: tuple[Stage, ...]
    record: ArtifactRecord


def make_artifact(
    source: bytes,
    settings: Settings,
    *,
    name: str,
    where: str,
    prover: Prover,
    calibration: Samples | None,
    listener: Listener,
    written: Format = Format.TFLZ,
    meter: SizeMeter | None = None,
    limits: Tolerance = NO_LIMITS,
) -> Artifact:
    """Convert, verify and pack one model, for the way or in the format that it is to be written in.

    With a meter, the record has all sizes of every stage, too; packing each of them takes time. With limits, the
    result's outputs must keep them against the source's.

    Where the settings say so, a weight that breaks verification or a limit is left as it was before the stage that
    breaks it, one after another, and the record tells of each.

    Raises:
        SparseToolError: of the stage that failed; see `convert`, `check_lint` and `Prover.prove`.
    """
    target = target_named(settings.target)
    require_runtime(target.kernel_sets)
    kept: list[KeptRecord] = []
    first: VerificationError | None = None
    while True:
        conversion = convert(source, settings, calibration=calibration, where=where, listener=listener, kept=kept)
        # First, since what it finds may end a process, or answer right by chance.
        check_lint(conversion.result, target, name=name)
        try:
            artifact = proven(
                conversion,
                settings.quantize,
                name=name,
                prover=prover,
                target=target,
                written=written,
                meter=meter,
                limits=limits,
            )
            return _telling(artifact, kept)
        except VerificationError as problem:
            first = first or problem
            if settings.on_failure is OnFailure.FAIL or len(kept) == MAX_KEPT:
                raise first from None
            blame = Blame(conversion, settings.quantize, limits, prover=prover, target=target, listener=listener)
            at_fault = blame.named(problem)
        if at_fault is None or (at_fault.tensor, at_fault.stage) in {(k.tensor, k.stage) for k in kept}:
            raise first
        listener.note(f"{name}: {at_fault.tensor} stays {_STAYS[at_fault.stage]}: {at_fault.reason}")
        kept.append(at_fault)


def _telling(artifact: Artifact, kept: Sequence[KeptRecord]) -> Artifact:
    """The artifact with a record of what was kept; why a weight is dense is in the plan already."""
    if not kept:
        return artifact
    float_ = {k.tensor: f"; kept unquantized: {k.reason}" for k in kept if k.stage == QUANTIZE}
    tensors = tuple(replace(t, reason=t.reason + float_.get(t.name, "")) for t in artifact.record.tensors)
    return replace(artifact, record=replace(artifact.record, kept=tuple(kept), tensors=tensors))


def proven(
    conversion: Conversion,
    quantize: str,
    *,
    name: str,
    prover: Prover,
    target: Target = LITERT,
    written: Format = Format.TFLZ,
    meter: SizeMeter | None = None,
    limits: Tolerance = NO_LIMITS,
) -> Artifact:
    """Verify and pack a converted model; with a meter, measure all sizes of every stage, too.

    Raises:
        SparseToolError: see `Prover.prove` and `output_gates`.
    """
    outputs, skipped = prover.prove(conversion, quantize, name=name, target=target)
    model, source = conversion.result, conversion.stages[0].data
    gates = output_gates(source, model, limits, prover=prover, target=target, name=name)
    travelling, sizes = (meter or SizeMeter()).measure(model, written)
    record = ArtifactRecord(
        name=name,
        sizes=sizes,
        stages=_stages(conversion, meter),
        tensors=_tensors(conversion.plan),
        outputs=outputs,
        skipped=skipped,
        quantized=_quantized(conversion),
        findings=findings_of(model, target, where=name),
        gates=gates,
    )
    return Artifact(model=model, packed=travelling, stages=conversion.stages, record=record)


def _stages(conversion: Conversion, meter: SizeMeter | None) -> tuple[StageRecord, ...]:
    return tuple(
        StageRecord(
            name=stage.name,
            disk_bytes=len(stage.data),
            changes=tuple(f"{c.tensor}: {c.what}" for c in stage.changes),
            sizes=None if meter is None else meter.measure(stage.data)[1],
        )
        for stage in conversion.stages
    )


def _tensors(plan: Plan | None) -> tuple[TensorRecord, ...]:
    decisions: Sequence[Encode | Keep] = () if plan is None else plan.decisions
    return tuple(
        TensorRecord(
            name=d.name,
            op=d.op,
            shape=d.shape,
            type=d.type,
            sparsity=d.sparsity,
            dense_bytes=d.dense_bytes,
            stored_bytes=d.encoded_bytes if isinstance(d, Encode) else d.dense_bytes,
            encoded=isinstance(d, Encode),
            reason=d.reason,
        )
        for d in decisions
    )


def _quantized(conversion: Conversion) -> tuple[QuantizedRecord, ...]:
    changes = [c for stage in conversion.stages for c in stage.changes if isinstance(c, QuantizedWeight)]
    return tuple(
        QuantizedRecord(
            name=c.tensor,
            type_before=c.type_before,
            type_after=c.type_after,
            weights=c.elements,
            zeros_before=c.zeros_before,
            zeros_after=c.zeros_after,
        )
        for c in changes
    )
