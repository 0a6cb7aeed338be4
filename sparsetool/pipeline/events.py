"""What a running pipeline tells whoever drives it."""

from typing import Protocol


class Listener(Protocol):
    """Hears of progress and of decisions; the command line draws them."""

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        """`done` of `total` units of a task that takes a while are done."""

    def note(self, text: str) -> None:
        """Something that a user wants to know, in one line."""


class Silence:
    """Listens to nothing."""

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        pass

    def note(self, text: str) -> None:
        pass
