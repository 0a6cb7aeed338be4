"""Records as JSON documents, on the screen as in files."""

import json
import math
from typing import Any


def document(data: dict[str, Any]) -> str:
    """The text of one JSON document; numbers that JSON has no word for become null."""
    return json.dumps(_finite(data), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
