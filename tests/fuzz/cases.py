"""One damaged file after the other, each within its time and its memory."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
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
            with _time_limit(), _memory_limit(len(data)):
                step(data)
        except SparseToolError as error:
            text = str(error)
            if "\n" in text or not 0 < len(text) < LONGEST_ERROR:
                found.append(f"{step.__name__}: an error of {len(text)} characters: {text[:80]!r}")
        except TooSlowError:
            found.append(f"{step.__name__}: takes more than {MOST_SECONDS} s")
        except Exception as error:
            kind = "MemoryError" if isinstance(error, MemoryError) else type(error).__name__
            found.append(f"{step.__name__}: {kind}: {error}{_where(error)}")
    return found


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"


@contextmanager
def _time_limit() -> Iterator[None]:
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
def _memory_limit(file_bytes: int) -> Iterator[None]:
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
