"""How this package refuses: one error type, one line that states the rule and the value seen."""

from collections.abc import Sequence

from sparsetool_converters.errors import EncodingError

_MOST_NUMBERS = 8  # no layout in use has more dimensions


def require(holds: bool, reason: str) -> None:
    """Refuse unless a rule holds.

    Raises:
        EncodingError: it does not; its text is the reason.
    """
    if not holds:
        raise EncodingError("", reason)


def brief(numbers: Sequence[int]) -> str:
    """Numbers for a reason: all of them, or how many if a damaged file has a thousand."""
    return str(tuple(int(n) for n in numbers)) if len(numbers) <= _MOST_NUMBERS else f"{len(numbers):,} numbers"
