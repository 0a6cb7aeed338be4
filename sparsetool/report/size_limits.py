"""Limits on sizes in words, the same on every face."""

from sparsetool.report.figures import count
from sparsetool.report.records import SizeLimitRecord
from sparsetool_converters.errors import BudgetExceededError


def limit_name(limit: SizeLimitRecord) -> str:
    """What a limit asks for; of growth without figures, so that it has the same name under another baseline."""
    if limit.rule == "regression":
        return f"{limit.size} growth over its baseline"
    return f"{limit.size} size at most {count(limit.limit_bytes)} bytes"


def broken_text(artifact: str, limit: SizeLimitRecord) -> str:
    """What the command line says of a limit that this artifact does not keep."""
    return str(BudgetExceededError(artifact, limit.size, limit.limit_bytes, limit.actual_bytes, limit.baseline_bytes))
