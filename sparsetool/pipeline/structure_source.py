"""What a recipe says is pruned, in the words of the pruner."""

from typing import TYPE_CHECKING

from sparsetool.prune import Block, Channels, NOfM, Structure
from sparsetool.recipe import PruneSection, StructureSection

if TYPE_CHECKING:
    from sparsetool.prune import Rule


def structure_of(section: StructureSection) -> Structure | None:
    """The structure that a section describes, None if it says nothing of one.

    Raises:
        PruningError: numbers that make none, such as 4 of 4.
    """
    pooling = section.block_pooling_type or "AVG"
    if section.block_size is not None:
        return Block(section.block_size, pooling)
    if section.n_of_m is not None:
        return NOfM(*section.n_of_m)
    return Channels(pooling) if section.channels else None


def rules_of(section: PruneSection) -> "tuple[Rule, ...]":
    """The rules of the pruning phase: those of its target, then its own, which win.

    Raises:
        PruningError: a target that has no rules, or a rule that cannot be.
    """
    from sparsetool.prune import Rule, for_target

    target = section.for_target
    rules = () if target is None else for_target(target.target, quantize=target.quantize)
    own = tuple(
        Rule(
            pattern=rule.pattern,
            layers=rule.layers,
            target_sparsity=rule.target_sparsity,
            structure=structure_of(rule),
            prune=rule.prune,
            reason=rule.reason,
        )
        for rule in section.rules
    )
    return (*rules, *own)
