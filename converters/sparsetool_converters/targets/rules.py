"""What a table of runtime facts is made of."""

from dataclasses import dataclass
from enum import StrEnum


class Route(StrEnum):
    """How an operator comes to its weights when they are stored sparse."""

    NATIVE = "native"
    """The kernel reads the sparse weights itself."""
    DENSIFY = "densify"
    """A DENSIFY operator unpacks them before the kernel."""


@dataclass(frozen=True, kw_only=True)
class WeightUse:
    """How an operator uses a constant.

    Attributes:
        op: the schema's name of the operator.
        weight: element type of the constant, as the schema names it.
        activation: element type of the operator's activation input.
        dequantized: whether a DEQUANTIZE stands between the constant and the operator.
    """

    op: str
    weight: str
    activation: str
    dequantized: bool = False

    def __str__(self) -> str:
        through = " through DEQUANTIZE" if self.dequantized else ""
        return f"{self.op} with {self.weight} weights{through} and {self.activation} activations"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One way in which a runtime executes sparse weights right.

    Attributes:
        use: what the rule is about.
        route: natively, or behind DENSIFY.
        blocks: blocks (r, c) on the TFLite layout that the kernel reads; (1, 1) is unstructured. Empty for
            DENSIFY, which reads any.
        version: the operator version that must be written; None leaves it as it is.
        asymmetric_quantize_inputs: whether that option must be set for the result to match the dense kernel.
        fused_activations: names of the schema's `ActivationFunctionType` that the operator may have fused; empty
            for any.
        max_columns: most input columns that the kernel can address, None for no limit.
        max_blocks_per_row: most blocks of one row that it can count, None for no limit.
        cost: what this way costs at run time, for reports; empty where nothing is lost.
        faster_from_sparsity: for each of `blocks`, the share of blocks left out from which this kernel is known to
            beat the dense one on a single row of activations; empty where it is not known to.
        speed_source: where that is known from.
        source: where the rule comes from.
    """

    use: WeightUse
    route: Route
    blocks: tuple[tuple[int, int], ...] = ()
    version: int | None = None
    asymmetric_quantize_inputs: bool = False
    fused_activations: tuple[str, ...] = ()
    max_columns: int | None = None
    max_blocks_per_row: int | None = None
    cost: str = ""
    faster_from_sparsity: tuple[float, ...] = ()
    speed_source: str = ""
    source: str


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A use for which every sparse encoding fails, crashes or gives wrong numbers.

    Attributes:
        use: what the refusal is about.
        effect: what the runtime does.
        source: where that is known from.
    """

    use: WeightUse
    effect: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Target:
    """A runtime, and what it is known to execute right."""

    name: str
    rules: tuple[Rule, ...]
    refusals: tuple[Refusal, ...]

    def rules_for(self, use: WeightUse) -> tuple[Rule, ...]:
        """All ways for this use; empty if there is none."""
        return tuple(rule for rule in self.rules if rule.use == use)

    def why_refused(self, use: WeightUse) -> str:
        """One clause that says why no rule fits this use."""
        for refusal in self.refusals:
            if refusal.use == use:
                return f"{refusal.effect} ({refusal.source})"
        return f"nothing is known to run {use} sparse on {self.name}"
