"""One model through the passes, stage by stage."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparsetool.pipeline.events import Listener
from sparsetool_converters.model import Model
from sparsetool_converters.passes import Canonicalize, Change, CompactHiddenUnits, Densify, EncodeSparse, Pass
from sparsetool_converters.passes.densify import MAX_OUTPUT_BYTES
from sparsetool_converters.passes.quantize import Quantization, Quantize
from sparsetool_converters.plan import Plan, make_plan
from sparsetool_converters.samples import Samples
from sparsetool_converters.targets import target_named

SOURCE = "source"
ENCODE = "encode"
QUANTIZE = "quantize"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is done to a model.

    Attributes:
        quantize: post-training quantization.
        compact: whether dead hidden units are removed.
        encode: whether weights are stored block-sparse where that saves bytes.
        target: name of the runtime that the file is for.
    """

    quantize: Quantization = Quantization.NONE
    compact: bool = True
    encode: bool = True
    target: str = "litert"


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """The model after one stage.

    Attributes:
        name: the stage.
        data: the bytes of the model.
        changes: what the stage did; empty for the source.
    """

    name: str
    data: bytes
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Conversion:
    """A model's way through the stages.

    Attributes:
        stages: the source, then each stage that changed something.
        plan: how each constant of the last stage is stored and why; None if encoding was not asked for.
    """

    stages: tuple[Stage, ...]
    plan: Plan | None

    @property
    def result(self) -> bytes:
        return self.stages[-1].data


def convert(
    source: bytes, settings: Settings, *, calibration: Samples | None = None, where: str, listener: Listener
) -> Conversion:
    """Run the stages that the settings ask for.

    Args:
        source: bytes of a .tflite.
        settings: what to do.
        calibration: samples, needed for int8.
        where: what to call the source in errors.
        listener: hears of calibration's progress.

    Raises:
        ModelFormatError: the source is not a model, or the quantizer cannot quantize it.
        CalibrationDataError: int8 without samples, or with samples that do not fit.
        UsageError: the target is not known.
    """
    target = target_named(settings.target)
    model = Model.from_bytes(source, where=where)
    stages = [Stage(name=SOURCE, data=source)]

    def run(steps: Sequence[tuple[str, Pass]]) -> None:
        for name, step in steps:
            changes = tuple(step(model))
            if changes:
                stages.append(Stage(name=name, data=model.to_bytes(), changes=changes))

    def calibrated(done: int, total: int) -> None:
        listener.progress("calibrate", done, total)

    steps: list[tuple[str, Pass]] = [
        # The quantizer and the planner read dense weights only.
        ("densify", Densify(max_output_bytes=MAX_OUTPUT_BYTES)),
        # Before anything counts zeros.
        ("canonicalize", Canonicalize()),
    ]
    if settings.compact:
        # Before quantization, so that dead units do not widen the ranges that it measures.
        steps.append(("compact", CompactHiddenUnits()))
    if settings.quantize is not Quantization.NONE:
        steps.append((QUANTIZE, Quantize(settings.quantize, calibration, calibrated)))
        if settings.compact:
            # Again, since quantization rounds small weights to zero.
            steps.append(("compact quantized", CompactHiddenUnits()))
    run(steps)
    plan = None
    if settings.encode:
        # Last: nothing else reads encoded weights.
        plan = make_plan(model, target)
        run([(ENCODE, EncodeSparse(plan))])
    return Conversion(stages=tuple(stages), plan=plan)
