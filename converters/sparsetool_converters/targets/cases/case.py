"""What a case is."""

from collections.abc import Callable
from dataclasses import dataclass

from sparsetool_converters.targets.outcomes import Outcomes


@dataclass(frozen=True, kw_only=True)
class Case:
    """A small model in which a weight is stored sparse, beside its dense twin.

    Attributes:
        name: what is stored how.
        row: name of the hazard that it is a case of; empty for a case of what is right.
        expected: what the table says of it.
        build: makes the dense twin and the sparse model, bytes of two .tflite files with the same inputs.
    """

    name: str
    row: str = ""
    expected: Outcomes
    build: Callable[[], tuple[bytes, bytes]]
