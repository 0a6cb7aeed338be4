"""How the wire format refuses."""

from sparsetool_converters.errors import ModelFormatError


class WireFormatError(ModelFormatError):
    """Bytes that are no sound `.tflz` container, or one that asks for more than it may."""


def require(holds: bool, problem: str) -> None:
    """Refuse unless a rule of the format holds; who reads the container says in `where` which one it is.

    Raises:
        WireFormatError: it does not.
    """
    if not holds:
        raise WireFormatError("container", problem)
