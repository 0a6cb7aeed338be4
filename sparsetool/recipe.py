"""The recipe: one TOML file that says how a model is trained, pruned, converted and verified."""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from sparsetool.recipe_fields import (
    Fraction,
    Function,
    Interval,
    Limit,
    Moment,
    MomentOrNever,
    OnFailure,
    Positive,
    QuantizationName,
    Section,
    Share,
    Size,
    Steps,
)
from sparsetool_converters.costs import Objective
from sparsetool_converters.errors import RecipeError, UsageError
from sparsetool_converters.passes.quantize_layers import LayerRecipe, check_layer
from sparsetool_converters.passes.recipes import Quantization


class ModelSection(Section):
    """Where the model comes from.

    Attributes:
        source: a Python file, relative to the recipe, with `build()` returning a Keras model and `data()`
            returning {"train": (x, y), "validation": (x, y), "test": (x, y)}.
    """

    source: str


class TrainSection(Section):
    """How a phase is trained; the attributes are those of `prune.TrainingSettings`."""

    epochs: Positive
    batch_size: Positive = 128
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    decay: Literal["constant", "cosine"] = "constant"
    seed: Steps = 0
    save_every_steps: Positive = 500


class ConstantSparsitySection(Section):
    """`prune.ConstantSparsity`, by its own words."""

    type: Literal["ConstantSparsity"]
    target_sparsity: Fraction
    begin_step: Moment
    end_step: MomentOrNever = -1
    frequency: Interval = 100


class PolynomialDecaySection(Section):
    """`prune.PolynomialDecay`, by its own words."""

    type: Literal["PolynomialDecay"]
    initial_sparsity: Fraction = 0.0
    final_sparsity: Fraction
    begin_step: Moment
    end_step: Moment
    power: Annotated[float, Field(gt=0)] = 3
    frequency: Interval = 100


class CallableScheduleSection(Section):
    """`prune.CallableSchedule`, by its own words.

    Attributes:
        function: where it is: a Python file, relative to the recipe, and the function's name, "curve.py:curve".
    """

    type: Literal["CallableSchedule"]
    function: Function
    begin_step: Moment = 0
    end_step: Moment = "100%"
    frequency: Interval = 100


class StructureSection(Section):
    """What is pruned or kept as one, by the words of `prune.Block`, `prune.NOfM` and `prune.Channels`.

    Attributes:
        block_size: outputs by inputs, on the TFLite layout.
        block_pooling_type: what scores a block or a channel, the mean or the greatest of its weights.
        n_of_m: (n, m), at most n kept of every m consecutive inputs.
        channels: whole output channels.
    """

    block_size: tuple[Positive, Positive] | None = None
    block_pooling_type: Literal["AVG", "MAX"] | None = None
    n_of_m: tuple[Positive, Positive] | None = None
    channels: bool = False

    @model_validator(mode="after")
    def _be_one(self) -> Self:
        if sum((self.block_size is not None, self.n_of_m is not None, self.channels)) > 1:
            raise ValueError("block_size, n_of_m and channels exclude each other; take one")
        if self.block_pooling_type is not None and self.block_size is None and not self.channels:
            raise ValueError("block_pooling_type goes with block_size or channels, which have scores to pool")
        return self


class RuleSection(StructureSection):
    """`prune.Rule`, by its own words and those of a structure."""

    pattern: str = "*"
    layers: tuple[str, ...] = ()
    target_sparsity: Fraction | None = None
    prune: bool | None = None
    reason: str = ""


class ForTargetSection(Section):
    """`prune.for_target`, by its own words."""

    target: str
    quantize: QuantizationName = Quantization.NONE


class PruneSection(TrainSection, StructureSection):
    """The pruning phase: how it is trained, and what is pruned when.

    Attributes:
        schedule: when masks are refreshed and how sparse they are then.
        include: glob patterns on variable paths, of which one must match.
        exclude: glob patterns of which none may match.
        for_target: prune what a runtime's sparse kernels can use, in the blocks that they read.
        rules: what holds for some variables only; of several the last counts.
        scope: "layer" prunes each variable to the schedule's sparsity, "global" all of them together.
        min_kept: share of each variable that scope "global" keeps at least.
        batch_norm_samples: training samples, picked at random, over which the moving statistics of batch normalization
            are taken anew after pruning; 0 leaves them as training left them.
    """

    schedule: Annotated[
        ConstantSparsitySection | PolynomialDecaySection | CallableScheduleSection, Field(discriminator="type")
    ]
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    for_target: ForTargetSection | None = None
    rules: tuple[RuleSection, ...] = ()
    scope: Literal["layer", "global"] = "layer"
    min_kept: Fraction = 0.0
    batch_norm_samples: Steps = 0


class BudgetSection(Section):
    """The most an artifact may take, in bytes or as "1.2MB", by the words of `budget.Budget`."""

    disk: Size | None = None
    gzip: Size | None = None
    zstd: Size | None = None
    wire: Size | None = None
    ram: Size | None = None


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
    on_failure: OnFailure | None = None


OUTPUT_GATES = tuple(GatesSection.model_fields)[:7]


class ArtifactSection(GatesSection):
    """One file to make from the pruned model, or from the dense one.

    The keys of a `GatesSection` stand here as well; one that is left out is that of [verify].

    Attributes:
        name: its file name without suffix, and its name in the report.
        checkpoint: which checkpoint it is made from.
        quantize: post-training quantization, by the name of a recipe.
        quantize_layers: other recipes for single layers; of several that match one, the last counts.
        allow_zero_loss: whether quantization may make other numbers of a pruned weight's zeros.
        compact: whether dead channels are removed.
        encode: whether weights are stored block-sparse where that saves bytes.
        budget: sizes that it must not exceed.
        compared_with: name of an artifact earlier in the list, which `max_drop` is about.
        min_accuracy: least test accuracy, in percent.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    checkpoint: Literal["dense", "pruned"] = "pruned"
    quantize: QuantizationName = Quantization.NONE
    quantize_layers: tuple[LayerSection, ...] = ()
    allow_zero_loss: bool = False
    compact: bool = True
    encode: bool = True
    budget: BudgetSection = BudgetSection()
    compared_with: str | None = None
    min_accuracy: Annotated[float, Field(ge=0, le=100)] | None = None


class ConvertSection(Section):
    """What holds for all artifacts.

    Attributes:
        target: the runtime that the files are for.
        objective: what encoding makes small: disk, ram or speed.
        calibration_samples: training samples that static recipes take their ranges from.
    """

    target: str = "litert"
    objective: Objective = Objective.DISK
    calibration_samples: Positive = 256


class VerifySection(GatesSection):
    """How artifacts are verified.

    The keys of a `GatesSection` stand here as well, for every artifact that says nothing else.

    Attributes:
        samples: validation samples whose outputs are compared on every kernel set.
        timeout_s: seconds for each run of a model.
        metric: a function of your own in place of accuracy: a Python file, relative to the recipe, and its name,
            "metrics.py:f1". It is given the real values `[n, ...]` of the model's output, or a dictionary by the
            outputs' names where there are several, and the labels `[n]`; it returns a number, the larger, the better.
    """

    samples: Positive = 256
    timeout_s: Annotated[float, Field(gt=0)] = 600.0
    metric: Function | None = None


class Recipe(Section):
    """A whole recipe.

    Attributes:
        model: where the model comes from.
        train: the dense phase.
        prune: the pruning phase.
        convert: what holds for all artifacts.
        verify: how they are verified.
        artifacts: the files to make, in order.
    """

    model: ModelSection
    train: TrainSection
    prune: PruneSection
    convert: ConvertSection = ConvertSection()
    verify: VerifySection = VerifySection()
    artifacts: Annotated[tuple[ArtifactSection, ...], Field(min_length=1)]

    def gates_of(self, artifact: ArtifactSection) -> GatesSection:
        """What an artifact must keep: its own keys, and those of [verify] for the rest."""
        defaults, own = ({k: getattr(s, k) for k in GatesSection.model_fields} for s in (self.verify, artifact))
        if artifact.compared_with is None:
            defaults["max_drop"] = None  # of what is compared with something
        return GatesSection(**defaults | {key: value for key, value in own.items() if value is not None})


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        RecipeError: the file cannot be read, is not TOML, has an unknown key or a value outside its range,
            names an artifact twice, compares one with none that comes before it, or sets a limit for what is not
            measured.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise RecipeError(str(path), "", f"cannot be read: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise RecipeError(str(path), "", f"is not TOML: {problem}") from problem
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as problem:
        raise _first_problem(path, problem) from problem
    names: list[str] = []
    for i, artifact in enumerate(recipe.artifacts):
        if artifact.name in names:
            raise RecipeError(str(path), f"artifacts.{i}.name", f"{artifact.name!r} is taken by an artifact before it")
        if artifact.compared_with is not None and artifact.compared_with not in names:
            raise RecipeError(
                str(path),
                f"artifacts.{i}.compared_with",
                f"{artifact.compared_with!r} is no artifact before it; known here: {', '.join(names) or 'none'}",
            )
        if (recipe.gates_of(artifact).max_drop is None) != (artifact.compared_with is None):
            raise RecipeError(str(path), f"artifacts.{i}", "max_drop and compared_with only make sense together")
        if artifact.min_accuracy is not None and recipe.verify.metric is not None:
            key = f"artifacts.{i}.min_accuracy"
            raise RecipeError(str(path), key, "no accuracy is measured where verify.metric is set; write min_metric")
        names.append(artifact.name)
    return recipe


def _first_problem(path: Path, problem: ValidationError) -> RecipeError:
    errors = problem.errors(include_url=False)
    unknown = [e for e in errors if e["type"] == "extra_forbidden"]
    error = (unknown or errors)[0]
    # Inside a choice of sections, pydantic's location holds the chosen type's name, which is no key of the file.
    location = [str(part) for part in error["loc"] if f"{part}Section" not in globals()]
    if error["type"] != "extra_forbidden":
        message = error["msg"].removeprefix("Value error, ")
        of_keys_together = error["type"] == "value_error" and isinstance(error["input"], dict)
        got = "" if of_keys_together else f"; got {error['input']!r}"
        return RecipeError(str(path), ".".join(location), f"{message}{got}")
    known = _known_keys(Recipe, list(error["loc"][:-1]))
    near = difflib.get_close_matches(location[-1], known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(known)}"
    return RecipeError(str(path), ".".join(location), f"is not a known key{hint}")


def _known_keys(section: Any, location: list[str | int]) -> list[str]:
    """Names of the keys in the section that a location leads to."""
    for part in location:
        candidates = [section, *getattr(section, "__args__", ())]
        if isinstance(part, str):
            chosen = [c for c in candidates if getattr(c, "__name__", "") == f"{part}Section"]
            fields = [c.model_fields for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
            found = next((f[part].annotation for f in fields if part in f), None)
            section = chosen[0] if chosen else found
        else:
            section = candidates[1]
    return list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []
