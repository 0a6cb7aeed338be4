"""What a table of runtime facts is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sparsetool_converters.sparsity import BlockFormat, DimensionFormat, block_csr
from sparsetool_converters.targets.outcomes import LITERT_KERNEL_SETS, KernelSet, Outcomes, Severity
from sparsetool_converters.weights import WeightUse


class Route(StrEnum):
    """How an operator comes to its weights."""

    NATIVE = "native"
    """They are stored sparse, and the kernel is given them as they are."""
    DENSIFY = "densify"
    """They are stored sparse, and a DENSIFY operator unpacks them before the kernel."""
    DECODE = "decode"
    """They are stored as a bitmap and values, and a TFLM_DECODE operator unpacks them before the kernel."""
    DENSE = "dense"
    """They are stored dense."""


MALFORMED = "malformed"
"""The layout of sparse metadata that contradict themselves or the tensor's shape."""
NOT_SPARSE = "not sparse"
"""The layout of what has no sparse metadata."""
BITMAP = "bitmap"
"""The layout of what TFLM_DECODE unpacks."""


def block_name(block: tuple[int, int]) -> str:
    """The layout of blocks (r, c) in the order that native kernels read; (1, 1) is "csr"."""
    return "csr" if block == (1, 1) else f"block {block[0]}x{block[1]}"


def layout_name(block_format: BlockFormat) -> str:
    """A layout in a few words.

    "csr" and "block RxC" are what native kernels may read: rows in order, the columns of each compressed. The same
    with columns before rows is "transposed csr" or "transposed block RxC"; all else is told level by level.
    """
    rank, order = block_format.rank, block_format.traversal_order
    if rank == 2:
        sizes = dict(zip(block_format.block_map, block_format.block_shape, strict=True))
        name = block_name((sizes.get(0, 1), sizes.get(1, 1)))
        plain = block_csr((2 if 0 in sizes else 1, 2 if 1 in sizes else 1))
        if block_format.formats == plain.formats:
            return name if order[:2] == (0, 1) else f"transposed {name}"
    levels = ("compressed" if level is DimensionFormat.SPARSE_CSR else "dense" for level in block_format.formats)
    return f"dimensions {', '.join(map(str, order))} as {', '.join(levels)}"


@dataclass(frozen=True, kw_only=True)
class StoredWeight:
    """How one operator comes to one constant, in the words of the table.

    Attributes:
        use: operator and types. Where the constant is no weight of the operator, `use.op` names the input, as in
            "ADD input 1", or is MODEL_OUTPUT, DENSIFY_OP or NOBODY.
        route: natively, behind DENSIFY, or dense.
        layout: by `layout_name`, or MALFORMED or NOT_SPARSE.
        version: of the operator.
        fused_activation: name of the schema's `ActivationFunctionType` that the operator has fused.
        asymmetric_quantize_inputs: whether it has that option set.
        columns: length of the constant's last dimension.
        most_blocks_per_row: most blocks that one row holds, where the rows are not compressed.
        problem: what is wrong with metadata that are malformed.
    """

    use: WeightUse
    route: Route
    layout: str
    version: int = 1
    fused_activation: str = "NONE"
    asymmetric_quantize_inputs: bool = False
    columns: int = 0
    most_blocks_per_row: int = 0
    problem: str = ""


MODEL_OUTPUT = "the model's output"
"""Reader of a constant, or of what was made of it, that the model hands out."""
DENSIFY_OP = "DENSIFY itself"
"""Reader of what is not sparse."""
NOBODY = "no operator"
"""Reader of a constant that nobody reads."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One way in which a runtime executes sparse weights right.

    Attributes:
        use: what the rule is about.
        route: natively, or behind DENSIFY or TFLM_DECODE.
        blocks: blocks (r, c) on the TFLite layout that the kernel reads; (1, 1) is unstructured. Empty for
            DENSIFY, which reads any, and for TFLM_DECODE, which knows none.
        version: the operator version that must be written; None leaves it as it is.
        not_version: an operator version that the operator must not have been given by others.
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
    not_version: int | None = None
    asymmetric_quantize_inputs: bool = False
    fused_activations: tuple[str, ...] = ()
    max_columns: int | None = None
    max_blocks_per_row: int | None = None
    cost: str = ""
    faster_from_sparsity: tuple[float, ...] = ()
    speed_source: str = ""
    source: str

    def fits(self, *, fused_activation: str, version: int) -> bool:
        """Whether the operator that the weight belongs to is one that this way is open to."""
        return version != self.not_version and (
            not self.fused_activations or fused_activation in self.fused_activations
        )

    def runs(self, stored: StoredWeight) -> bool:
        """Whether the weight is stored in this very way, within its limits."""
        return (
            (stored.use, stored.route) == (self.use, self.route)
            and stored.layout not in (MALFORMED, NOT_SPARSE)
            and (not self.blocks or stored.layout in map(block_name, self.blocks))
            and self.version in (None, stored.version)
            and self.fits(fused_activation=stored.fused_activation, version=stored.version)
            and (self.max_columns is None or stored.columns <= self.max_columns)
            and (self.max_blocks_per_row is None or stored.most_blocks_per_row <= self.max_blocks_per_row)
        )


@dataclass(frozen=True, kw_only=True)
class Hazard:
    """A way of storing weights with which a runtime fails, crashes, gives wrong numbers or is slower.

    The fields from `ops` to `over_blocks_per_row` say which weights are meant; one that is left out means any.

    Attributes:
        name: a short name that stays the same from release to release.
        ops: operators, as `StoredWeight.use.op` has them.
        weights: element types of the constant.
        activations: element types of the activation.
        dequantized: whether a DEQUANTIZE stands before the operator.
        route: natively, behind DENSIFY, or dense.
        layouts: how the constant is laid out.
        other_layouts: how it is not laid out.
        version: the operator's version.
        other_version: any version of the operator but this.
        other_activations: any fused activation but these.
        symmetric_inputs: whether the operator lacks `asymmetric_quantize_inputs`.
        over_columns: more columns than these.
        over_blocks_per_row: more blocks in one row than these.
        outcomes: what the runtime does on each kernel set; None where the source shows the danger, and what
            comes of it depends on what lies in memory.
        severity: error, or warning.
        effect: what the runtime does, a clause.
        way_out: what helps, a clause.
        source: where that is known from.
    """

    name: str
    ops: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()
    dequantized: bool | None = None
    route: Route | None = None
    layouts: tuple[str, ...] = ()
    other_layouts: tuple[str, ...] = ()
    version: int | None = None
    other_version: int | None = None
    other_activations: tuple[str, ...] = ()
    symmetric_inputs: bool = False
    over_columns: int | None = None
    over_blocks_per_row: int | None = None
    outcomes: Outcomes | None
    severity: Severity = Severity.ERROR
    effect: str
    way_out: str
    source: str

    def concerns(self, use: WeightUse) -> bool:
        """Whether operator and types are those that this is about."""
        return (
            (not self.ops or use.op in self.ops)
            and (not self.weights or use.weight in self.weights)
            and (not self.activations or use.activation in self.activations)
            and self.dequantized in (None, use.dequantized)
        )

    def hits(self, stored: StoredWeight) -> bool:
        """Whether this weight is stored so."""
        return (
            self.concerns(stored.use)
            and self.route in (None, stored.route)
            and (not self.layouts or stored.layout in self.layouts)
            and (not self.other_layouts or stored.layout not in (*self.other_layouts, MALFORMED))
            and self.version in (None, stored.version)
            and stored.version != self.other_version
            and (not self.other_activations or stored.fused_activation not in self.other_activations)
            and not (self.symmetric_inputs and stored.asymmetric_quantize_inputs)
            and (self.over_columns is None or stored.columns > self.over_columns)
            and (self.over_blocks_per_row is None or stored.most_blocks_per_row > self.over_blocks_per_row)
        )


@dataclass(frozen=True, kw_only=True)
class Target:
    """A runtime, and what it is known to execute right and wrong: the one table that everybody reads.

    Whatever no rule allows is refused, and the hazards say what would come of it.

    Attributes:
        name: its name.
        rules: how it executes sparse weights right.
        hazards: what goes wrong.
        kernel_sets: the kernels that a file for it is run on.
        operators: the names of all operators that it has, each with the element types that its tensors may have, none
            for any; None where the operators are no matter of this table.
        types: the element types that any tensor may have; none for any.
    """

    name: str
    rules: tuple[Rule, ...]
    hazards: tuple[Hazard, ...]
    kernel_sets: tuple[KernelSet, ...] = LITERT_KERNEL_SETS
    operators: Mapping[str, tuple[str, ...]] | None = None
    types: tuple[str, ...] = ()

    @property
    def decodes(self) -> bool:
        """Whether it is the micro runtime, where weights are stored for TFLM_DECODE."""
        return any(rule.route is Route.DECODE for rule in self.rules)

    def rules_for(self, use: WeightUse) -> tuple[Rule, ...]:
        """All ways for this use; empty if there is none."""
        return tuple(rule for rule in self.rules if rule.use == use)

    def runs(self, stored: StoredWeight) -> bool:
        """Whether some rule allows the weight as it is stored."""
        return any(rule.runs(stored) for rule in self.rules)

    def hazards_of(self, stored: StoredWeight) -> tuple[Hazard, ...]:
        """All hazards of a weight as it is stored."""
        return tuple(hazard for hazard in self.hazards if hazard.hits(stored))

    def refused_ways(self, use: WeightUse) -> tuple[Hazard, ...]:
        """The hazards that stand against this use as such, whatever its version, layout and size.

        That TFLM_DECODE is of the micro runtime alone is no matter of the use.
        """
        return tuple(
            hazard
            for hazard in self.hazards
            if hazard.severity is Severity.ERROR
            and hazard.route is not Route.DECODE
            and hazard.concerns(use)
            and not _depends(hazard)
        )

    def why_refused(self, use: WeightUse) -> str:
        """One clause that says why no rule fits this use."""
        for hazard in self.refused_ways(use):
            # What a kernel cannot read may still be unpacked for it.
            if hazard.route is not Route.NATIVE and not (self.decodes and hazard.route is Route.DENSIFY):
                return f"{hazard.effect} ({hazard.source})"
        return f"nothing is known to run {use} sparse on {self.name}"


def _depends(hazard: Hazard) -> bool:
    """Whether more than operator, types and route must come together."""
    conditions = (hazard.version, hazard.other_version, hazard.over_columns, hazard.over_blocks_per_row)
    lists = (hazard.layouts, hazard.other_layouts, hazard.other_activations)
    return any(c is not None for c in conditions) or any(lists) or hazard.symmetric_inputs
