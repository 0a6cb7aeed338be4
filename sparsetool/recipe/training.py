"""What a recipe says of training and pruning."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sparsetool.recipe_fields import (
    Fraction,
    Function,
    Interval,
    Moment,
    MomentOrNever,
    Positive,
    QuantizationName,
    Section,
    Steps,
    TargetName,
)
from sparsetool_converters.passes.recipes import Quantization


class TrainSection(Section):
    """How a phase is trained, by the words of `prune.TrainingSettings`.

    Attributes:
        epochs: passes over the training data.
        batch_size: samples in a step; what is left over of an epoch makes a smaller last step.
        learning_rate: of Adam, at the first step.
        decay: "constant", or "cosine" down to 0 at the last step.
        seed: of the shuffling and of every random layer.
        save_every_steps: how often the state of training is saved.
    """

    epochs: Positive
    batch_size: Positive = 128
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    decay: Literal["constant", "cosine"] = "constant"
    seed: Steps = 0
    save_every_steps: Positive = 500


class ConstantSparsitySection(Section):
    """`prune.ConstantSparsity`, by its own words.

    Attributes:
        type: which schedule this is.
        target_sparsity: share of blocks to prune, in [0, 1).
        begin_step: first step at which masks are refreshed: 500, "2 epochs", "25%".
        end_step: last step at which they may be, -1 for no end.
        frequency: refresh at every so many steps, counted from `begin_step`.
    """

    type: Literal["ConstantSparsity"]
    target_sparsity: Fraction
    begin_step: Moment
    end_step: MomentOrNever = -1
    frequency: Interval = 100


class PolynomialDecaySection(Section):
    """`prune.PolynomialDecay`, by its own words.

    Attributes:
        type: which schedule this is.
        initial_sparsity: share of blocks pruned at `begin_step`, in [0, 1).
        final_sparsity: share of blocks pruned at `end_step`, in [0, 1).
        begin_step: first step at which masks are refreshed: 500, "2 epochs", "25%".
        end_step: last step at which they may be.
        power: exponent of the decay; 1 is a straight line.
        frequency: refresh at every so many steps, counted from `begin_step`.
    """

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
        type: which schedule this is.
        function: where it is: a Python file, relative to the recipe, and the function's name, "curve.py:curve".
        begin_step: first step at which masks are refreshed: 500, "2 epochs", "25%".
        end_step: last step at which they are.
        frequency: refresh at every so many steps, counted from `begin_step`.
    """

    type: Literal["CallableSchedule"]
    function: Function
    begin_step: Moment = 0
    end_step: Moment = "100%"
    frequency: Interval = 100


SCHEDULES = (ConstantSparsitySection, PolynomialDecaySection, CallableScheduleSection)


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
    """`prune.Rule`, by its own words and those of a structure.

    Attributes:
        pattern: glob on the path of a variable, such as "*/encoder_?/*/kernel".
        layers: class names, of which the layer that holds the variable must have one; empty for any.
        target_sparsity: sparsity at the end of the schedule, in [0, 1).
        prune: false leaves the variable alone, true takes it back.
        reason: why it is left alone, a clause that begins with a verb.
    """

    pattern: str = "*"
    layers: tuple[str, ...] = ()
    target_sparsity: Fraction | None = None
    prune: bool | None = None
    reason: str = ""


class ForTargetSection(Section):
    """`prune.for_target`, by its own words.

    Attributes:
        target: the runtime whose sparse kernels are meant.
        quantize: how weights will be quantized, since kernels differ by that.
    """

    target: TargetName
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
