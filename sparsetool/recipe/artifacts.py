"""What a recipe says of the files to make: how they are converted, verified and limited."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from sparsetool.recipe_fields import (
    Function,
    Limit,
    OnFailure,
    Positive,
    QuantizationName,
    SampleCountOrSource,
    Section,
    Share,
    Size,
    Source,
    TargetName,
)
from sparsetool_converters.costs import Objective
from sparsetool_converters.errors import UsageError
from sparsetool_converters.passes.quantize_layers import LayerRecipe, check_layer
from sparsetool_converters.passes.recipes import Quantization


def _pattern(value: Any) -> Any:
    try:
        check_layer(LayerRecipe(pattern=value, recipe=Quantization.NONE))
    except UsageError as problem:
        raise ValueError(str(problem)) from problem
    return value


class LayerSection(Section):
    """Another quantization recipe for some layers.

    Attributes:
        pattern: a regular expression, searched in the names of a layer's weights and of the tensors that it writes.
        recipe: the recipe's name.
    """

    pattern: Annotated[str, AfterValidator(_pattern)]
    recipe: QuantizationName


class ConversionSection(Section):
    """What is done to a model.

    Attributes:
        quantize: post-training quantization, by the name of a recipe.
        quantize_layers: other recipes for single layers; of several that match one, the last counts.
        allow_zero_loss: whether quantization may make other numbers of a pruned weight's zeros.
        compact: whether dead channels are removed.
        encode: whether weights are stored block-sparse where that saves bytes.
    """

    quantize: QuantizationName = Quantization.NONE
    quantize_layers: tuple[LayerSection, ...] = ()
    allow_zero_loss: bool = False
    compact: bool = True
    encode: bool = True


class ConvertSection(ConversionSection):
    """What holds for every artifact that says nothing else.

    Attributes:
        target: the runtime that the files are for.
        objective: what encoding makes small: disk, ram or speed.
        calibration_samples: training samples that static recipes take their ranges from, of a model that is trained.
        calibration: samples for the same of a model that is not: .npz, .npy, a folder or file.py:function, relative to
            the recipe; those of [verify] if left out.
    """

    target: TargetName = "litert"
    objective: Objective = Objective.DISK
    calibration_samples: Positive = 256
    calibration: Source | None = None


class GatesSection(Section):
    """What an artifact must keep, and what becomes of it if it does not.

    The first seven hold end to end: for each output of the artifact against the float model that it was made from, on
    the validation samples, on every kernel set of the target. `max_drop` and `min_metric` hold for the task's metric
    on the test set: top-1 accuracy as a share, or `metric` of [verify].

    Attributes:
        max_abs_error: largest error of a real value.
        max_relative_error: largest error, as a share of the output's largest value.
        min_sqnr_db: least ratio of signal to noise, in dB.
        min_cosine: least cosine of the angle between all values of both.
        max_kl_divergence: largest mean Kullback-Leibler divergence over the last axis, in nats.
        min_top1_agreement: least share of samples whose largest element is at the same place.
        min_top5_agreement: least share of samples whose largest element is among the artifact's five largest.
        max_drop: most that the metric may fall below that of the artifact `compared_with`, "0.5%" or 0.005.
        min_metric: least value of the metric.
        on_failure: "fail", or "keep-dense": a weight that breaks the verification of a stage, or one of the first
            seven limits, stays as it was before that stage, and the artifact is made again.
    """

    max_abs_error: Limit | None = None
    max_relative_error: Limit | None = None
    min_sqnr_db: float | None = None
    min_cosine: Annotated[float, Field(ge=-1, le=1)] | None = None
    max_kl_divergence: Limit | None = None
    min_top1_agreement: Share | None = None
    min_top5_agreement: Share | None = None
    max_drop: Share | None = None
    min_metric: float | None = None
    on_failure: OnFailure = OnFailure.FAIL


OUTPUT_GATES = tuple(GatesSection.model_fields)[:7]


class VerifySection(GatesSection):
    """How artifacts are verified.

    The keys of a `GatesSection` stand here as well, for every artifact that says nothing else.

    Attributes:
        samples: samples whose outputs are compared on every kernel set: how many of the validation samples, by default
            256. Of a model that is not trained, how many random ones; or a source, .npz, .npy, a folder or
            file.py:function, relative to the recipe; by default those of `calibration`, or 8 random ones.
        labels: the right answers to the samples of a model that is not trained, an .npy file relative to the recipe;
            its accuracy is measured where they are given.
        timeout_s: seconds for each run of a model.
        metric: a function of your own in place of accuracy: a Python file, relative to the recipe, and its name,
            "metrics.py:f1". It is given the real values `[n, ...]` of the model's output, or a dictionary by the
            outputs' names where there are several, and the labels `[n]`; it returns a number, the larger, the better.
    """

    samples: SampleCountOrSource | None = None
    labels: Source | None = None
    timeout_s: Annotated[float, Field(gt=0)] = 600.0
    metric: Function | None = None


class BudgetSection(Section):
    """The most an artifact may take, in bytes or as "1.2MB", by the words of `budget.Budget`.

    Attributes:
        disk: the .tflite that the runtime maps.
        gzip: the .tflite after gzip -9.
        zstd: the .tflite after zstd -19.
        wire: the packed file that travels.
        ram: what is resident after the first inference, measured on this machine.
    """

    disk: Size | None = None
    gzip: Size | None = None
    zstd: Size | None = None
    wire: Size | None = None
    ram: Size | None = None


class SizesSection(Section):
    """Limits on sizes.

    Attributes:
        baseline: file with the sizes of before, relative to the recipe; disk and wire must not grow.
        max_regression: how far they may grow over it, "1%" or 0.01; not at all if left out.
        budget: the most that every artifact may take that says nothing else.
    """

    baseline: Source | None = None
    max_regression: Share | None = None
    budget: BudgetSection = BudgetSection()


class ArtifactSection(ConversionSection, GatesSection):
    """One file to make from the model.

    What is left out is as [convert], [verify] and the budget of [sizes] have it.

    Attributes:
        name: its file name without suffix, and its name in the report.
        checkpoint: which checkpoint it is made from, of a model that is trained.
        budget: sizes that it must not exceed.
        compared_with: name of an artifact earlier in the list, which `max_drop` is about.
        min_accuracy: least test accuracy, in percent.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    checkpoint: Literal["dense", "pruned"] = "pruned"
    budget: BudgetSection = BudgetSection()
    compared_with: str | None = None
    min_accuracy: Annotated[float, Field(ge=0, le=100)] | None = None
