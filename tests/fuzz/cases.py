"""One damaged file after the other, each within its time and its memory."""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mutations import Seed, mutated
from seed_models import SEED_MODELS
from steps import STEPS

from sparsetool_converters.errors import SparseToolError

MOST_SECONDS = 5  # of the processor, so that other work on the machine does not count
FREE_BYTES = 64 * 10**6  # and 4 times the file
LONGEST_ERROR = 400
RARE = 40  # one file in so many is made of a chain, which takes ten times as long


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is damaged, and how it is to be treated.

    Attributes:
        prepare: makes what all damaged files are made from; called once.
        complaints: what is wrong with how the damaged file of a number is treated.
    """

    prepare: Callable[[], object]
    complaints: Callable[[int], list[str]]


class TooSlowError(BaseException):
    """Not for anybody to catch on the way."""


@cache
def seeds() -> list[Seed]:
    return [Seed(name, make()) for name, make in SEED_MODELS.items()]


def file_number(number: int) -> bytes:
    """The damaged file of that number, the same on every run."""
    rng = np.random.default_rng(number)
    chosen = [seed for seed in seeds() if seed.name.startswith("chain") == (number % RARE == 0)]
    seed = chosen[rng.integers(len(chosen))]
    return mutated(seed, rng)


def complaints(data: bytes) -> list[str]:
    """What is wrong with how the file was treated; empty if every step gave a result or one clear error."""
    found = []
    for step in STEPS:
        try:
            with time_limit(), memory_limit(len(data)):
                step(data)
        except SparseToolError as error:
            text = str(error)
            if "\n" in text or not 0 < len(text) < LONGEST_ERROR:
                found.append(f"{step.__name__}: an error of {len(text)} characters: {text[:80]!r}")
        except TooSlowError:
            found.append(f"{step.__name__}: takes more than {MOST_SECONDS} s")
        except Exception as error:
            kind = "MemoryError" if isinstance(error, MemoryError) else type(error).__name__
            found.append(f"{step.__name__}: {kind}: {error}{where(error)}")
    return found


def where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"


@contextmanager
def time_limit() -> Iterator[None]:
    def stop(number: int, frame: Any) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def memory_limit(file_bytes: int) -> Iterator[None]:
    """Address space for what the process has by now, 4 times the file and a bit; beyond is a MemoryError."""
    statm = Path("/proc/self/statm")
    if not statm.exists():  # Linux alone tells
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(statm.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + 4 * file_bytes + FREE_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


MODELS = Kind(prepare=seeds, complaints=lambda number: complaints(file_number(number)))
