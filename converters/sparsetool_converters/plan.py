"""Decide how each constant is stored; touch nothing.

Every way that the target's table allows is measured in bytes on the tensor at hand, and the smallest one wins if
it saves enough. What stays dense says why, with numbers.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.model import Buffer, Model, Tensor
from sparsetool_converters.sparsity import BlockFormat, DimensionFormat, block_csr, csr, encode, encoded_bytes
from sparsetool_converters.targets import Route, Rule, Target
from sparsetool_converters.targets.readings import fused_activation
from sparsetool_converters.weights import WeightSite, weight_sites

MIN_SAVING_RATIO = 0.10  # below that a tensor is not worth an operator, a load-time cost and a second code path
# Tables that an encoded tensor adds to the file: upper bounds, held by a test.
NATIVE_OVERHEAD_BYTES = 220
DENSIFY_OVERHEAD_BYTES = 400  # with the DENSIFY operator and the stored tensor, whose name comes on top


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What becomes of one constant.

    Attributes:
        subgraph: index of its subgraph.
        tensor: its index there.
        name: its name.
        op: the operator whose weight it is, empty if none.
        shape: its dense shape.
        type: its element type as the schema names it.
        zeros: elements that are +0.0 or integer 0.
        elements: all elements.
        dense_bytes: what the dense payload takes.
    """

    subgraph: int
    tensor: int
    name: str
    op: str
    shape: tuple[int, ...]
    type: str
    zeros: int
    elements: int
    dense_bytes: int

    @property
    def sparsity(self) -> float:
        return self.zeros / self.elements if self.elements else 0.0


@dataclass(frozen=True, kw_only=True)
class Encode(Decision):
    """Store it block-sparse.

    Attributes:
        rule: the target's rule that allows it.
        layout: short name of the format, such as "csr" or "block 1x16".
        block_format: the format.
        encoded_bytes: payload, index vectors and tables.
        reason: why this way, with numbers.
    """

    rule: Rule
    layout: str
    block_format: BlockFormat
    encoded_bytes: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Keep(Decision):
    """Leave it as it is.

    Attributes:
        reason: why, with numbers.
    """

    reason: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A decision for every constant that is a weight, and for every other constant of a kilobyte or more."""

    target: str
    decisions: tuple[Encode | Keep, ...]

    def encoded(self) -> tuple[Encode, ...]:
        return tuple(d for d in self.decisions if isinstance(d, Encode))


OTHER_CONSTANTS_FROM_BYTES = 1000


def make_plan(model: Model, target: Target) -> Plan:
    """Choose for each constant the smallest way of storing it that the target runs right.

    Args:
        model: a model whose weights are stored dense; it is not changed.
        target: the runtime's table.

    Returns:
        A plan that `passes.EncodeSparse` carries out on the same model.
    """
    by_tensor: dict[Tensor, list[WeightSite]] = {}
    for site in weight_sites(model):
        by_tensor.setdefault(site.tensor, []).append(site)
    holders, interface = model.users(), model.interface()
    decisions: list[Encode | Keep] = []
    for g, graph in enumerate(model.subgraphs):
        readers = Counter(t for op in graph.operators for t in op.inputs if t is not None)
        for i, tensor in enumerate(graph.tensors):
            sites = by_tensor.get(tensor, [])
            if not tensor.is_constant or (not sites and tensor.buffer.nbytes < OTHER_CONSTANTS_FROM_BYTES):
                continue
            facts = _facts(tensor, g, i, sites)
            blocked = _why_not_looked_at(tensor, sites, readers, holders, interface)
            decisions.append(Keep(**facts, reason=blocked) if blocked else _decide(tensor, facts, sites[0], target))
    return Plan(target=target.name, decisions=tuple(decisions))


def _facts(tensor: Tensor, g: int, i: int, sites: list[WeightSite]) -> dict[str, Any]:
    zeros = elements = 0
    if _is_countable(tensor):
        array = tensor.array()
        zeros, elements = int(array.size - np.count_nonzero(bits(array))), int(array.size)
    return {
        "subgraph": g,
        "tensor": i,
        "name": tensor.name,
        "op": sites[0].use.op if sites else "",
        "shape": tensor.shape,
        "type": tensor.type_name,
        "zeros": zeros,
        "elements": elements,
        "dense_bytes": tensor.buffer.nbytes,
    }


def _is_countable(tensor: Tensor) -> bool:
    return not tensor.is_sparse and tensor.type_name in ("FLOAT32", "FLOAT16", "INT8", "UINT8", "INT16")


def bits(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array's elements as unsigned integers of the same width, so that only +0.0 counts as zero."""
    return array.view(np.dtype(f"u{array.dtype.itemsize}"))


def _why_not_looked_at(
    tensor: Tensor,
    sites: list[WeightSite],
    readers: Mapping[Tensor, int],
    holders: dict[Buffer, list[Tensor]],
    interface: set[Tensor],
) -> str:
    """Why this constant stays as it is whatever it holds and the target is; empty if nothing stands against it.

    What holds for the constant holds for what is made of it on its way to its operator, too: XNNPACK unpacks
    DENSIFY and DEQUANTIZE for the operators that it runs itself, and leaves nothing for anybody else to read.
    """
    if not sites:
        return "is not a weight of an operator that reads sparse weights"
    if tensor.is_sparse:
        return "arrived encoded"
    path = sites[0].path
    most = max(len(sites), *(readers[t] for t in path))
    if most > 1:
        return f"has {most} readers; only weights with one are encoded"
    if len(holders[tensor.buffer]) > 1:
        return f"its payload is shared by {len(holders[tensor.buffer])} tensors"
    if not interface.isdisjoint(path):
        return "is an input or output of its subgraph or of a signature, too"
    if any(t.fields.isVariable for t in path):
        return "is a variable, which the model may change"
    return ""


def _decide(tensor: Tensor, facts: dict[str, Any], site: WeightSite, target: Target) -> Encode | Keep:
    use = site.use
    rules = target.rules_for(use)
    if not rules:
        return Keep(**facts, reason=target.why_refused(use))
    fused, version = fused_activation(site.operator), site.operator.code.version
    rules = tuple(rule for rule in rules if rule.fits(fused_activation=fused, version=version))
    if not rules:
        operator = f"version {version}" if fused == "NONE" else f"fused {fused}"
        return Keep(**facts, reason=f"nothing is known to run {use} and {operator} sparse on {target.name}")
    if facts["zeros"] == 0:
        return Keep(**facts, reason="has no zeros")
    choices = [c for rule in rules for c in _choices(tensor, rule)]
    if not choices:
        return Keep(**facts, reason=f"no block that {use} can use divides its shape {list(tensor.shape)}")
    size, _, layout, block_format, rule = min(choices, key=lambda c: c[:3])
    dense = facts["dense_bytes"]
    if size > dense * (1 - MIN_SAVING_RATIO):
        return Keep(
            **facts,
            reason=f"{facts['zeros'] / facts['elements']:.1%} zeros: the smallest encoding ({layout}, {rule.route}) "
            f"takes {size:,} of {dense:,} bytes, and less than {MIN_SAVING_RATIO:.0%} saved is not worth it",
        )
    reason = f"{layout}, {rule.route}: {size:,} of {dense:,} bytes"
    if rule.cost:
        reason += f"; {rule.cost}"
    return Encode(**facts, rule=rule, layout=layout, block_format=block_format, encoded_bytes=size, reason=reason)


_Choice = tuple[int, int, str, BlockFormat, Rule]  # bytes, order of preference at equal bytes, layout, format, rule


def _choices(tensor: Tensor, rule: Rule) -> list[_Choice]:
    array = tensor.array()
    if rule.route is Route.NATIVE:
        return _native_choices(array, rule)
    overhead_bytes = DENSIFY_OVERHEAD_BYTES + len(tensor.name.encode())
    return [
        (encoded_bytes(array, fmt) + overhead_bytes, 1, layout, fmt, rule)
        for layout, fmt in _densify_layouts(array.shape)
    ]


def _native_choices(array: npt.NDArray[Any], rule: Rule) -> list[_Choice]:
    choices: list[_Choice] = []
    for block in rule.blocks:
        rows, columns = block
        if array.ndim != 2 or array.shape[0] % rows or array.shape[1] % columns:
            continue
        if rule.max_columns is not None and array.shape[1] > rule.max_columns:
            continue
        fmt = csr(2) if block == (1, 1) else block_csr(block)
        if rule.max_blocks_per_row is not None and _most_blocks_per_row(array, fmt) > rule.max_blocks_per_row:
            continue
        layout = "csr" if block == (1, 1) else f"block {rows}x{columns}"
        choices.append((encoded_bytes(array, fmt) + NATIVE_OVERHEAD_BYTES, 0, layout, fmt, rule))
    return choices


def _most_blocks_per_row(array: npt.NDArray[Any], fmt: BlockFormat) -> int:
    segments = encode(array, fmt).levels[1].segments
    return 0 if segments is None or len(segments) < 2 else int(np.diff(segments.astype(np.int64)).max())


def _densify_layouts(shape: tuple[int, ...]) -> list[tuple[str, BlockFormat]]:
    """Formats worth trying for a tensor that DENSIFY unpacks, which reads any.

    The index vectors dominate, and an index takes one byte up to 256 and two beyond, so each axis is tried as the
    one that carries them:

        [64, 5, 5, 32] on axis 3    1 byte an index, 1,601 segments
        [64, 5, 5, 32] on axis 0    1 byte an index,   801 segments
    """
    rank = len(shape)
    layouts = [(f"csr on axis {axis}", _csr_along(rank, axis)) for axis in range(rank) if shape[axis] > 1]
    if rank == 2:
        for rows, columns in ((1, 4), (1, 16)):
            if shape[0] % rows == 0 and shape[1] % columns == 0:
                layouts.append((f"block {rows}x{columns}", block_csr((rows, columns))))
    return layouts


def _csr_along(rank: int, axis: int) -> BlockFormat:
    order = (*(d for d in range(rank) if d != axis), axis)
    formats = (*(DimensionFormat.DENSE,) * (rank - 1), DimensionFormat.SPARSE_CSR)
    return BlockFormat(traversal_order=order, formats=formats)
