"""Many damaged files over several processes, of which any may die or hang."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from typing import Any

from cases import MODELS, MOST_SECONDS, Kind
from steps import STEPS

PROCESSES = 2
# A signal does not stop C code, and waiting takes no time of the processor: a process that says nothing is ended.
SILENCE_S = 5 * MOST_SECONDS * len(STEPS)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A file that was treated wrong.

    Attributes:
        number: its number, from which it can be made again.
        complaint: the step, and what it did.
    """

    number: int
    complaint: str


class _Worker:
    """A process with every so manieth file; one that died is followed by another that goes on behind that file."""

    def __init__(self, first: int, last: int, stride: int, kind: Kind) -> None:
        self._last, self._stride = last, stride
        context = multiprocessing.get_context("fork")  # the seeds are made once
        self.found: SimpleQueue[Finding] = context.SimpleQueue()
        self._current = context.Value("q", first)
        self._new_process: Callable[[int], Any] = lambda start: context.Process(
            target=_work, args=(start, last, stride, kind, self._current, self.found)
        )
        self._since, self._seen = time.monotonic(), first
        self._process = self._new_process(first)
        self._process.start()

    def at(self) -> int:
        """The file that it works on."""
        return int(self._current.value)

    def is_done(self) -> bool:
        """Whether all files are done; whatever ended the process before is put on the list."""
        self._process.join(timeout=0.2)
        if self._process.is_alive():
            if self.at() != self._seen:
                self._since, self._seen = time.monotonic(), self.at()
            if time.monotonic() - self._since < SILENCE_S:
                return False
            self._process.kill()
            self._process.join()
        if self._process.exitcode == 0:
            return True
        number = self.at()
        self.found.put(Finding(number=number, complaint=f"ended the process, exit code {self._process.exitcode}"))
        if number + self._stride >= self._last:
            return True
        self._since = time.monotonic()
        self._process = self._new_process(number + self._stride)
        self._process.start()
        return False


def _work(first: int, last: int, stride: int, kind: Kind, current: Any, found: "SimpleQueue[Finding]") -> None:
    for number in range(first, last, stride):
        current.value = number
        for complaint in kind.complaints(number):
            found.put(Finding(number=number, complaint=complaint))


def campaign(
    runs: int,
    *,
    first: int = 0,
    processes: int = PROCESSES,
    kind: Kind = MODELS,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Iterator[Finding]:
    """Treat the files `first` to `first + runs` and yield what went wrong, as it is found."""
    kind.prepare()
    workers = [_Worker(first + i, first + runs, processes, kind) for i in range(processes)]
    running = True
    while running:
        done = [worker.is_done() for worker in workers]
        running = not all(done)
        for worker in workers:
            while not worker.found.empty():
                yield worker.found.get()
        on_progress(min(min(worker.at() for worker in workers) - first + 1, runs))
