"""Small models, one or more for each row of a target's table, and what the runtime is known to make of them."""

from sparsetool_converters.targets.cases.case import Case
from sparsetool_converters.targets.cases.litert_right import right_cases
from sparsetool_converters.targets.cases.litert_wrong import wrong_cases
from sparsetool_converters.targets.cases.tflm_cases import micro_cases
from sparsetool_converters.targets.litert import LITERT
from sparsetool_converters.targets.rules import Target
from sparsetool_converters.targets.tflm import TFLM


def cases_of(target: Target) -> tuple[Case, ...]:
    """All cases of a target's table; none for one that is not a single runtime."""
    if target is TFLM:
        return tuple(micro_cases())
    return (*right_cases(), *wrong_cases()) if target is LITERT else ()


__all__ = ["Case", "cases_of"]
