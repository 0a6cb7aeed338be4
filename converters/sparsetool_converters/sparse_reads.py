"""Which sparse constants of a file a target is not known to read right.

A runtime mostly gives no error for these, but garbage; such a file cannot serve as the reference of another one.
"""

from sparsetool_converters.costs import native_format
from sparsetool_converters.model import Model, Operator, Tensor
from sparsetool_converters.plan import fused_activation
from sparsetool_converters.targets import Route, Target
from sparsetool_converters.weights import WeightSite, weight_sites


def doubtful_sparse_reads(model: Model, target: Target) -> tuple[str, ...]:
    """One clause for each sparse constant that some operator may not get right; empty for a dense model.

    Args:
        model: any model.
        target: the runtime's table.

    Raises:
        ModelFormatError, EncodingError: a sparse constant is damaged.
    """
    sites: dict[Tensor, list[WeightSite]] = {}
    for site in weight_sites(model):
        sites.setdefault(site.tensor, []).append(site)
    interface = model.interface()
    found = []
    for graph in model.subgraphs:
        readers = graph.consumers()
        for tensor in graph.tensors:
            if not tensor.is_sparse:
                continue
            own = sites.get(tensor, [])
            doubts = [_doubt(tensor, reader, own, readers, interface, target) for reader, _ in readers.get(tensor, [])]
            found += [f"{tensor.name} {doubt}" for doubt in doubts if doubt][:1]
    return tuple(found)


def _doubt(
    tensor: Tensor,
    reader: Operator,
    sites: list[WeightSite],
    readers: dict[Tensor, list[tuple[Operator, int]]],
    interface: set[Tensor],
    target: Target,
) -> str:
    own = [site for site in sites if site.reader is reader]
    if reader.name == "DENSIFY":
        if not any(rule.route is Route.DENSIFY for rule in target.rules):
            return f"stands behind DENSIFY, which nothing on {target.name} is known to run"
        return next((doubt for site in own if (doubt := _doubt_behind_densify(site, readers, interface, target))), "")
    if own and _is_read_natively(tensor, own[0], target):
        return ""
    return f"is read sparse by {reader.name} version {reader.code.version} in a form that {target.name} may get wrong"


def _doubt_behind_densify(
    site: WeightSite, readers: dict[Tensor, list[tuple[Operator, int]]], interface: set[Tensor], target: Target
) -> str:
    if not interface.isdisjoint(site.path[1:]):
        return "is unpacked by DENSIFY into what callers see"
    rules = [rule for rule in target.rules_for(site.use) if rule.route is Route.DENSIFY]
    if not rules:
        refused = any(refusal.use == site.use for refusal in target.refusals)
        return f"is behind DENSIFY: {target.why_refused(site.use)}" if refused else ""
    (rule,) = rules
    if rule.version not in (None, site.operator.code.version):
        return f"is behind DENSIFY for {site.use}, which needs version {rule.version}, not {site.operator.code.version}"
    if rule.fused_activations and fused_activation(site.operator) not in rule.fused_activations:
        return f"is behind DENSIFY for {site.use} and fused {fused_activation(site.operator)}"
    if site.use.dequantized and any(len(readers.get(tensor, [])) > 1 for tensor in site.path[1:]):
        return f"is behind DENSIFY and DEQUANTIZE for several readers, of which {target.name} serves only one"
    return ""


def _is_read_natively(tensor: Tensor, site: WeightSite, target: Target) -> bool:
    array, block_format = tensor.array(), tensor.encoded().block_format
    return any(
        native_format(array, rule, block) == block_format
        for rule in target.rules_for(site.use)
        if rule.route is Route.NATIVE and rule.version in (None, site.operator.code.version)
        for block in rule.blocks
    )
