"""How this package refuses: one error type, one line that states the rule and the value seen."""

from sparsetool_converters.errors import EncodingError


def require(holds: bool, reason: str) -> None:
    """Refuse unless a rule holds.

    Raises:
        EncodingError: it does not; its text is the reason.
    """
    if not holds:
        raise EncodingError("", reason)
