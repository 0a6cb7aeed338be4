"""What a pass did, and what a pass is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sparsetool_converters.model import Model


@dataclass(frozen=True, kw_only=True)
class Change:
    """One edit of a model.

    Attributes:
        tensor: name of the constant that was edited.
        what: the edit, with numbers.
        bytes_before: its payload before, index vectors included.
        bytes_after: the same after.
    """

    tensor: str
    what: str
    bytes_before: int
    bytes_after: int


class Pass(Protocol):
    """An edit of a model in place, as a value: a frozen dataclass that can be called."""

    @property
    def name(self) -> str: ...

    def __call__(self, model: Model) -> Sequence[Change]: ...
