"""What each runtime executes right, fails at or silently gets wrong: data, each row with its source."""

from sparsetool_converters.errors import UsageError
from sparsetool_converters.targets.litert import LITERT
from sparsetool_converters.targets.outcomes import (
    LITERT_KERNEL_SETS,
    MICRO_KERNEL_SETS,
    KernelSet,
    Outcome,
    Outcomes,
    Severity,
)
from sparsetool_converters.targets.portable import PORTABLE
from sparsetool_converters.targets.rules import Hazard, Route, Rule, StoredWeight, Target
from sparsetool_converters.targets.tflm import TFLM
from sparsetool_converters.weights import WeightUse

TARGETS: dict[str, Target] = {target.name: target for target in (LITERT, PORTABLE, TFLM)}


def target_named(name: str) -> Target:
    """The target of that name. Raises UsageError naming the known ones."""
    if name not in TARGETS:
        raise UsageError(f"target {name!r} is not known; known targets: {', '.join(TARGETS)}")
    return TARGETS[name]


__all__ = [
    "LITERT",
    "LITERT_KERNEL_SETS",
    "MICRO_KERNEL_SETS",
    "PORTABLE",
    "TARGETS",
    "TFLM",
    "Hazard",
    "KernelSet",
    "Outcome",
    "Outcomes",
    "Route",
    "Rule",
    "Severity",
    "StoredWeight",
    "Target",
    "WeightUse",
    "target_named",
]
