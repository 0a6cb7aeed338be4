"""Decide how each constant is stored; touch nothing.

Every way that the target's table allows is measured on the tensor at hand, and the best one for the objective wins if
it saves enough. What stays dense says why, with numbers.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.costs import Candidate, Choice, Objective, candidates, stored_choice
from sparsetool_converters.model import Buffer, Model, Tensor
from sparsetool_converters.model.decode_operator import decode_obstacle
from sparsetool_converters.sparsity import BlockFormat
from sparsetool_converters.targets import Rule, Target
from sparsetool_converters.targets.readings import fused_activation
from sparsetool_converters.weights import WeightSite, weight_sites

MIN_SAVING_RATIO = 0.10  # below that a tensor is not worth an operator, a load-time cost and a second code path


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
        choices: what each way of storing it would cost, as it is first, then whatever the target allows.
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
    choices: tuple[Choice, ...]

    @property
    def sparsity(self) -> float:
        return self.zeros / self.elements if self.elements else 0.0


@dataclass(frozen=True, kw_only=True)
class Encode(Decision):
    """Store it block-sparse.

    Attributes:
        choice: the one of `choices` that is taken.
        rule: the target's rule that allows it.
        block_format: the format; None for TFLM_DECODE's.
        reason: why this way, with numbers.
    """

    choice: Choice
    rule: Rule
    block_format: BlockFormat | None
    reason: str

    @property
    def layout(self) -> str:
        """Short name of the format."""
        return self.choice.layout

    @property
    def encoded_bytes(self) -> int:
        """Payload, index vectors and tables, in the file."""
        return self.choice.disk_bytes


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
    objective: Objective
    decisions: tuple[Encode | Keep, ...]

    def encoded(self) -> tuple[Encode, ...]:
        return tuple(d for d in self.decisions if isinstance(d, Encode))


OTHER_CONSTANTS_FROM_BYTES = 1000


def make_plan(
    model: Model, target: Target, objective: Objective = Objective.DISK, *, kept: Mapping[str, str] | None = None
) -> Plan:
    """Choose for each constant the best way of storing it among those that the target runs right.

    Args:
        model: a model whose weights are stored dense; it is not changed.
        target: the runtime's table.
        objective: DISK and RAM take what is smallest there. SPEED takes what the table knows to be faster than
            dense weights, and leaves everything else dense.
        kept: constants that stay dense whatever that costs, by name, and why.

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
            blocked = (kept or {}).get(tensor.name) or _why_not_looked_at(
                tensor, sites, readers, holders, interface, target
            )
            if blocked:
                decisions.append(Keep(**facts, choices=(stored_choice(tensor),), reason=blocked))
            else:
                decisions.append(_decide(tensor, facts, sites, target, objective))
    return Plan(target=target.name, objective=objective, decisions=tuple(decisions))


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
    target: Target,
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
    if target.decodes:
        # Each reader gets what it reads from a TFLM_DECODE of its own; it must be one that the table knows.
        others = readers[tensor] - len(sites)
        if others > 0 and len(path) == 1:
            return f"has {readers[tensor]} readers, {others} of which read it as no weight"
        if most > 1 and any(len(site.path) > 1 for site in sites):
            return f"has {most} readers; behind DEQUANTIZE only weights with one are encoded"
        strangers = [site.use for site in sites if not target.rules_for(site.use)]
        if strangers:
            return target.why_refused(strangers[0])
    elif most > 1 and not _read_alike(sites, readers):
        return f"has {most} readers; several are served only if all are FULLY_CONNECTED and come to it in one way"
    if len(holders[tensor.buffer]) > 1:
        return f"its payload is shared by {len(holders[tensor.buffer])} tensors"
    if not interface.isdisjoint(path):
        return "is an input or output of its subgraph or of a signature, too"
    if any(t.fields.isVariable for t in path):
        return "is a variable, which the model may change"
    return ""


def _read_alike(sites: Sequence[WeightSite], readers: Mapping[Tensor, int]) -> bool:
    """Whether nobody but FULLY_CONNECTED operators of the same types reads the constant, all at the end of one path.

    So it is in a recurrent network that is unrolled: the weight stands there once and is read at every step.
    """
    path, use = sites[0].path, sites[0].use
    return (
        use.op == "FULLY_CONNECTED"
        and all((site.path, site.use) == (path, use) for site in sites)
        and [readers[tensor] for tensor in path] == [*(1 for _ in path[1:]), len(sites)]
    )


def _decide(
    tensor: Tensor, facts: dict[str, Any], sites: Sequence[WeightSite], target: Target, objective: Objective
) -> Encode | Keep:
    use, dense = sites[0].use, stored_choice(tensor)
    rules = target.rules_for(use)
    if not rules:
        return Keep(**facts, choices=(dense,), reason=target.why_refused(use))
    ways = sorted({(fused_activation(site.operator), site.operator.code.version) for site in sites})
    rules = tuple(rule for rule in rules if all(rule.fits(fused_activation=f, version=v) for f, v in ways))
    if not rules:
        operator = ", ".join(f"version {version}" if fused == "NONE" else f"fused {fused}" for fused, version in ways)
        reason = f"nothing is known to run {use} and {operator} sparse on {target.name}"
        return Keep(**facts, choices=(dense,), reason=reason)
    rows = max(_rows(site) for site in sites)
    readers = len({id(site.reader) for site in sites})
    found = [candidate for rule in rules for candidate in candidates(tensor, rule, rows=rows, readers=readers)]
    facts = {**facts, "choices": (dense, *(c.choice for c in found))}
    if facts["zeros"] == 0:
        return Keep(**facts, reason="has no zeros")
    if not found:
        obstacle = decode_obstacle(tensor) if target.decodes else ""
        return Keep(**facts, reason=obstacle or f"no block that {use} can use divides its shape {list(tensor.shape)}")
    sparsity = facts["zeros"] / facts["elements"]
    if objective is Objective.SPEED:
        best, reason = _fastest(found, dense, use=str(use), rows=rows)
    else:
        best, reason = _smallest(found, dense, objective, sparsity=sparsity)
    if best is None:
        return Keep(**facts, reason=reason)
    if best.rule.cost:
        reason += f"; {best.rule.cost}"
    return Encode(**facts, choice=best.choice, rule=best.rule, block_format=best.block_format, reason=reason)


def _smallest(
    found: Sequence[Candidate], dense: Choice, objective: Objective, *, sparsity: float
) -> tuple[Candidate | None, str]:
    """The candidate that takes least and why, or None and why not."""

    def price(choice: Choice) -> int:
        return choice.disk_bytes if objective is Objective.DISK else choice.ram_bytes

    # At equal bytes the kernel that needs no DENSIFY.
    best = min(found, key=lambda c: (price(c.choice), c.choice.route != "native", c.choice.disk_bytes, c.choice.layout))
    where = "" if objective is Objective.DISK else " of RAM"
    size, limit = price(best.choice), price(dense)
    if size > limit * (1 - MIN_SAVING_RATIO):
        return None, (
            f"{sparsity:.1%} zeros: the smallest encoding ({best.choice}) takes {size:,} of {limit:,} bytes{where}, "
            f"and less than {MIN_SAVING_RATIO:.0%} saved is not worth it"
        )
    if objective is Objective.RAM and best.choice.disk_bytes > dense.disk_bytes:
        return None, (
            f"{best.choice} takes {size:,} of {limit:,} bytes{where}, but {best.choice.disk_bytes:,} of "
            f"{dense.disk_bytes:,} on disk"
        )
    return best, f"{best.choice}: {size:,} of {limit:,} bytes{where}"


def _fastest(found: Sequence[Candidate], dense: Choice, *, use: str, rows: int) -> tuple[Candidate | None, str]:
    """The candidate that the table knows to be faster than dense and why, or None and why not."""
    # The kernels' time goes with the number of blocks, so the largest block that is fast enough is the fastest.
    fast = [c for c in found if c.choice.faster and c.choice.disk_bytes <= dense.disk_bytes]
    if fast:
        best = max(fast, key=lambda c: prod(c.block))
        return best, (
            f"{best.choice}: leaves {best.choice.left_out:.1%} out, and from {best.faster_from:.0%} it is faster than "
            f"dense ({best.rule.speed_source}); {best.choice.disk_bytes:,} of {dense.disk_bytes:,} bytes"
        )
    known = [c for c in found if c.faster_from is not None]
    if known:
        thresholds = ", ".join(f"{c.choice} leaves {c.choice.left_out:.1%} of {c.faster_from:.0%} out" for c in known)
        return None, f"dense is faster until enough is left out: {thresholds}"
    batch = f" with {rows:,} rows of activations" if rows > 1 else ""
    return None, f"nothing sparse is known to be faster than dense for {use}{batch}"


def _rows(site: WeightSite) -> int:
    """Rows of activations that FULLY_CONNECTED multiplies its weights with; 1 for any other operator."""
    activation = site.operator.inputs[0]
    if site.use.op != "FULLY_CONNECTED" or activation is None or len(site.tensor.shape) != 2:
        return 1
    return max(1, prod(activation.shape) // max(1, site.tensor.shape[1]))
