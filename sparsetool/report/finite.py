"""Numbers that JSON has no word for."""

from typing import Any


def finite(value: Any) -> Any:
    """The same plain data with None for NaN and infinities, at any depth."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
