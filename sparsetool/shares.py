"""Shares of a whole as people write them: "0.5%", or 0.005."""

import math
import re

from sparsetool_converters.errors import UsageError

_SHARE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%|)")


def parse_share(value: str | float) -> float:
    """Read "0.5%", "0.005" or 0.005, which all mean the same; 0 to 1, or "0%" to "100%".

    Raises:
        UsageError: none of these.
    """
    share = math.nan
    if isinstance(value, str):
        match = _SHARE.fullmatch(value.strip())
        if match is not None:
            # Divided as decimal numbers are written, so that "0.1%" is 0.001 to the last bit.
            share = float(f"{match[1]}e-2") if match[2] else float(match[1])
    elif not isinstance(value, bool) and isinstance(value, int | float):
        share = float(value)
    if not 0.0 <= share <= 1.0:
        raise UsageError(f'{value!r} is no share; write it as "0.5%" or 0.005, at most "100%" or 1')
    return share
