"""What each runtime executes right, fails at or silently gets wrong: data, each row with its source."""

from sparsetool_converters.errors import UsageError
from sparsetool_converters.targets.litert import LITERT
from sparsetool_converters.targets.rules import Refusal, Route, Rule, Target, WeightUse

TARGETS: dict[str, Target] = {LITERT.name: LITERT}


def target_named(name: str) -> Target:
    """The target of that name. Raises UsageError naming the known ones."""
    if name not in TARGETS:
        raise UsageError(f"target {name!r} is not known; known targets: {', '.join(TARGETS)}")
    return TARGETS[name]


__all__ = ["LITERT", "TARGETS", "Refusal", "Route", "Rule", "Target", "WeightUse", "target_named"]
