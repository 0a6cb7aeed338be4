"""Lengths of a training run as people write them: in steps, in epochs, or as a share of the run."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from sparsetool_converters.errors import UsageError

Span = int | str  # 500 steps, "2 epochs", "25%"

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(%|epochs?)")


@dataclass(frozen=True)
class RelativeSpan:
    """A length that only means steps once the length of training is known.

    Attributes:
        text: as it was written.
        amount: how much of the unit.
        unit: epochs, or the whole run.
    """

    text: str
    amount: Fraction
    unit: Literal["epoch", "run"]

    def in_steps(self, unit_steps: int) -> int:
        """Return this length in steps, rounded to nearest, where its unit has so many; a half goes to even."""
        return round(self.amount * unit_steps)


def parse_span(value: object) -> int | RelativeSpan:
    """Read a number of steps, "2 epochs", "0.5 epochs" or "25%"; at most "100%".

    Raises:
        UsageError: none of these.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise UsageError(f'{value!r} is no length of training; write 500 for steps, "2 epochs", or "25%" of the run')
    amount = Fraction(match[1])
    if match[2] != "%":
        return RelativeSpan(str(value), amount, "epoch")
    if amount > 100:
        raise UsageError(f'{value!r} is more than the whole run; write at most "100%"')
    return RelativeSpan(str(value), amount / 100, "run")
