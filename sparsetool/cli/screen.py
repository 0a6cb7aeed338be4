"""Progress and errors on stderr, results on stdout."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sparsetool.report.finite import finite
from sparsetool_converters.errors import OutputError

LINE_EVERY_S = 10.0  # where stderr is a file or a pipe, a line this often instead of a bar
RESULT_WIDTH = 160  # of tables that go to a file or a pipe
documents_printed: list[str] = []  # kinds of what went to stdout as JSON; one command prints one document


class Screen:
    """Draws what the pipeline tells, as its `Listener`.

    Native libraries write to stderr as they like; `hush` keeps their words in a file and the screen for us.
    """

    def __init__(self) -> None:
        # Where a process is started without stderr, Python has none either.
        self._stderr: TextIO = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        self._noise: Any = None
        self._bars: Progress | None = None
        self._task: Any = None
        self._name = ""
        self.annotated = False  # whether a failure has been told to GitHub
        self._started = self._said = 0.0

    def hush(self) -> None:
        """From here on, stderr of this process goes to a file, but for what this screen writes."""
        if sys.stderr is None:
            return
        self._stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
        self._noise = tempfile.TemporaryFile("w+b")  # noqa: SIM115 (lives as long as the process)
        sys.stderr.flush()
        os.dup2(self._noise.fileno(), 2)

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        if task != self._name:
            self._finish()
            self._begin(task)
        if self._bars is not None:
            self._bars.update(self._task, completed=done, total=total, detail=detail)
        else:
            self._line(done, total, detail)
        if done >= total:
            self._finish()

    def note(self, text: str) -> None:
        self._finish()
        print(text, file=self._stderr, flush=True)

    def error(self, text: str) -> None:
        self._finish()
        print(f"error: {text}", file=self._stderr, flush=True)

    def internal(self, trace: str) -> None:
        """What a developer needs: our own traceback, and what libraries said."""
        self._finish()
        if self._noise is not None:
            self._noise.seek(0)
            self._stderr.write(self._noise.read()[-4000:].decode("utf-8", "replace"))
        print(trace, file=self._stderr, flush=True)

    def close(self) -> None:
        self._finish()

    def _begin(self, task: str) -> None:
        self._name, self._started, self._said = task, time.monotonic(), 0.0
        if not self._stderr.isatty():
            return
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
            console=Console(file=self._stderr),
        )
        self._bars.start()
        self._task = self._bars.add_task(task, total=None, detail="")

    def _finish(self) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._name = None, ""

    def _line(self, done: int, total: int, detail: str) -> None:
        now = time.monotonic()
        if done < total and now - self._said < LINE_EVERY_S and self._said:
            return
        self._said = now
        elapsed = now - self._started
        left = f", {_clock(elapsed * (total - done) / done)} left" if 0 < done < total else ""
        more = f", {detail}" if detail else ""
        text = f"{self._name}: {done:,} of {total:,} ({done / max(total, 1):.0%}), {_clock(elapsed)} gone{left}{more}"
        print(text, file=self._stderr, flush=True)


def on_github() -> bool:
    """Whether a runner of GitHub Actions reads along."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def show(*tables: RenderableType) -> None:
    """Print results to stdout, at the terminal's width or, where there is none, wide enough for tables."""
    console = Console(width=None if sys.stdout.isatty() else RESULT_WIDTH, markup=False, emoji=False, highlight=False)
    with _stdout():
        for table in tables:
            console.print(table, soft_wrap=isinstance(table, str))


def show_json(data: dict[str, Any]) -> None:
    """Print one JSON document to stdout; numbers that JSON has no word for become null."""
    documents_printed.append(data["kind"])
    with _stdout():
        sys.stdout.write(json.dumps(finite(data), indent=2, allow_nan=False) + "\n")


@contextmanager
def _stdout() -> Iterator[None]:
    """Raises OutputError where results cannot be written; a reader that went away is the parser's business."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer would fail once more at exit
        raise OutputError("standard output", f"cannot be written: {problem.strerror}") from problem
