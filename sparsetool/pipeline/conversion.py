"""One model through the passes, stage by stage."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sparsetool.pipeline.events import Listener
from sparsetool.recipe_fields import OnFailure
from sparsetool.report.records import KeptRecord
from sparsetool_converters.costs import Objective
from sparsetool_converters.model import Model
from sparsetool_converters.passes import Canonicalize, Change, Compact, Densify, EncodeSparse, Pass
from sparsetool_converters.passes.densify import MAX_OUTPUT_BYTES
from sparsetool_converters.passes.quantize import Quantization, Quantize
from sparsetool_converters.passes.quantize_layers import LayerRecipe
from sparsetool_converters.plan import Plan, make_plan
from sparsetool_converters.samples import Samples
from sparsetool_converters.targets import Target, target_named
from sparsetool_converters.targets.lint import lint_errors
from sparsetool_converters.weights import weight_sites

SOURCE = "source"
DENSIFY = "densify"
COMPACT = "compact"
COMPACT_QUANTIZED = "compact quantized"
ENCODE = "encode"
QUANTIZE = "quantize"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is done to a model.

    Attributes:
        quantize: post-training quantization, by the name of a recipe; see `passes.recipes.recipe_named`.
        quantize_layers: other recipes for single layers; of several that match one, the last counts.
        allow_zero_loss: whether quantization may make other numbers of a pruned weight's zeros.
        compact: whether dead channels are removed.
        encode: whether weights are stored block-sparse where that serves the objective.
        objective: what encoding makes small.
        target: name of the runtime that the file is for.
        on_failure: what becomes of a weight that breaks verification or a gate; `make_artifact` sees to it.
    """

    quantize: str = Quantization.NONE
    quantize_layers: tuple[LayerRecipe, ...] = ()
    allow_zero_loss: bool = False
    compact: bool = True
    encode: bool = True
    objective: Objective = Objective.DISK
    target: str = "litert"
    on_failure: OnFailure = OnFailure.FAIL

    @property
    def quantizes(self) -> bool:
        """Whether any layer is to be quantized."""
        return self.quantize != Quantization.NONE or len(self.quantize_layers) > 0


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
        plan: how each constant of the last stage is stored and why; None if encoding was not asked for, or if the
            source, encoded by others, stays as it is.
    """

    stages: tuple[Stage, ...]
    plan: Plan | None

    @property
    def result(self) -> bytes:
        return self.stages[-1].data


def convert(
    source: bytes,
    settings: Settings,
    *,
    calibration: Samples | None = None,
    where: str,
    listener: Listener,
    kept: Sequence[KeptRecord] = (),
) -> Conversion:
    """Run the stages that the settings ask for.

    Args:
        source: bytes of a .tflite.
        settings: what to do.
        calibration: samples, for recipes that need them.
        where: what to call the source in errors.
        listener: hears of calibration's progress.
        kept: weights that a stage leaves as they are, whatever the settings say.

    Raises:
        ModelFormatError: the source is not a model, or the quantizer cannot quantize it.
        EncodingError: a sparse constant of the source is damaged, or out of all proportion once it is dense.
        CalibrationDataError: a recipe needs samples and there are none, or they do not fit.
        UsageError: the target or a recipe is not known, or a layer's pattern matches nothing.
        ZerosLostError: quantization would lose zeros of a pruned weight.
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
        (DENSIFY, Densify(max_output_bytes=MAX_OUTPUT_BYTES)),
        # Before anything counts zeros.
        ("canonicalize", Canonicalize()),
    ]
    if settings.compact:
        # Before quantization, so that dead channels do not widen the ranges that it measures.
        steps.append((COMPACT, Compact()))
    if settings.quantizes:
        layers = (*settings.quantize_layers, *(_in_float(k.tensor) for k in kept if k.stage == QUANTIZE))
        quantize = Quantize(settings.quantize, calibration, calibrated, layers, settings.allow_zero_loss)
        steps.append((QUANTIZE, quantize))
        if settings.compact:
            # Again, since quantization rounds small weights to zero.
            steps.append((COMPACT_QUANTIZED, Compact()))
    run(steps)
    if settings.quantizes and QUANTIZE not in [stage.name for stage in stages]:
        listener.note(f"{where}: {settings.quantize} changed nothing: {_why_not(model, settings.quantize)}")
    plan = None
    if settings.encode:
        # Last: nothing else reads encoded weights.
        dense = {k.tensor: f"kept dense: {k.reason}" for k in kept if k.stage == ENCODE}
        plan = make_plan(model, target, settings.objective, kept=dense)
        run([(ENCODE, EncodeSparse(plan))])
        if _source_is_better(stages, settings, target, where):
            listener.note(
                f"{where}: stays as it is, {len(source):,} bytes; converted, it takes {len(stages[-1].data):,}"
            )
            stages, plan = stages[:1], None if plan.encoded() else plan
    return Conversion(stages=tuple(stages), plan=plan)


def _in_float(weight: str) -> LayerRecipe:
    return LayerRecipe(pattern=f"^{re.escape(weight)}$", recipe=Quantization.NONE)


def densified(source: bytes, *, where: str, max_output_bytes: int = MAX_OUTPUT_BYTES) -> Conversion:
    """A source's way to dense weights, which is no way where none of them is sparse.

    Raises:
        ModelFormatError: the source is not a model.
        EncodingError: a sparse constant is damaged, or out of all proportion once it is dense.
    """
    model = Model.from_bytes(source, where=where)
    changes = tuple(Densify(max_output_bytes=max_output_bytes)(model))
    made = (Stage(name=DENSIFY, data=model.to_bytes(), changes=changes),) if changes else ()
    return Conversion(stages=(Stage(name=SOURCE, data=source), *made), plan=None)


def _why_not(model: Model, recipe: str) -> str:
    types = sorted({site.tensor.type_name.lower() for site in weight_sites(model)})
    if not types:
        return "the model has no weights"
    if "float32" in types or ("float16" in types and recipe != Quantization.FLOAT16):
        return "it takes none of the model's operators with float weights"
    return f"the model's weights are {', '.join(types)} already"


def _source_is_better(stages: Sequence[Stage], settings: Settings, target: Target, where: str) -> bool:
    """Whether the source serves as well as what was made of it: not larger, not quantized, and fit for the target."""
    if settings.quantizes or settings.objective is not Objective.DISK:
        return False
    source, result = stages[0].data, stages[-1].data
    arrived_encoded = any(stage.name == DENSIFY for stage in stages)
    # A dense source of the same size has lost its negative zeros, and packs better.
    if len(stages) == 1 or len(result) < len(source) or (len(result) == len(source) and not arrived_encoded):
        return False
    return not lint_errors(Model.from_bytes(source, where=where), target)
