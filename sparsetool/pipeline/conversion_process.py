"""The parent's side of conversions in processes of their own."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sparsetool.pipeline.conversion_worker import ANSWER
from sparsetool.pipeline.request import Request
from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.exit_codes import ExitCode

_WORKER = "sparsetool.pipeline.conversion_worker"
_PATIENCE_S = 10.0  # for a process that was told to end
_LAST_WORDS = 3  # lines of stderr that go into a message


class ProcessFailedError(SparseToolError):
    """A conversion in another process failed.

    Attributes:
        error: the class of the error there.
        exit_code: the one that the command line returns for it.
    """

    def __init__(self, error: str, exit_code: int, message: str) -> None:
        self.error = error
        self.exit_code = ExitCode(exit_code)  # type: ignore[misc]  # of the other process, where the class tells it
        super().__init__(message)


class ConversionProcesses:
    """Starts processes, from any thread, and ends all that are left."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._ending = False

    def convert(
        self,
        request: Request,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        working_folder: Path | None = None,
    ) -> dict[str, Any]:
        """Carry out a request; see `save_output`, which does it there.

        Args:
            request: what to convert.
            folder: where the result is put.
            environment: variables that differ from those of this process.
            working_folder: where the process runs, by default where this one does.

        Raises:
            ProcessFailedError: it failed there, or the process ended without a word.
        """
        command = [sys.executable, "-m", _WORKER, str(folder)]
        with (
            (folder / "stderr.txt").open("w+b") as stderr,
            self._started(command, stderr, environment, working_folder) as child,
        ):
            assert child.stdin is not None
            with suppress(BrokenPipeError):  # it ended at once, which its exit code tells
                pickle.dump(request, child.stdin)
                child.stdin.flush()
            child.wait()
            return _answer(folder, child.returncode)

    def end(self) -> None:
        """Interrupt all that run, as Ctrl-C would, so that they end their own children; start no more."""
        with self._lock:
            self._ending = True
            running = list(self._running)
        for child in running:
            child.send_signal(signal.SIGINT)

    @contextmanager
    def _started(
        self, command: list[str], stderr: Any, environment: Mapping[str, str] | None, working_folder: Path | None
    ) -> Iterator[subprocess.Popen[bytes]]:
        with self._lock:
            if self._ending:
                raise KeyboardInterrupt
            child = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {})},
                cwd=working_folder,
                stdin=subprocess.PIPE,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,  # Ctrl-C is for the parent, which ends the child
            )
            self._running.add(child)
        try:
            yield child
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    child.wait(_PATIENCE_S)
            child.kill()
            child.wait()
            assert child.stdin is not None
            with suppress(BrokenPipeError):
                child.stdin.close()
            with self._lock:
                self._running.discard(child)


def _answer(folder: Path, code: int) -> dict[str, Any]:
    """The record in what the process left. Raises ProcessFailedError."""
    try:
        match json.loads((folder / ANSWER).read_bytes()):
            case {"record": dict(record)}:
                return record
            case {"failure": {"error": str(error), "exit_code": int(exit_code), "message": str(message)}}:
                raise ProcessFailedError(error, exit_code, message)
    except (OSError, ValueError):
        pass
    lines = (folder / "stderr.txt").read_text("utf-8", "replace").strip().splitlines()
    words = " | ".join(line.strip() for line in lines[-_LAST_WORDS:])
    how = f"with {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    raise ProcessFailedError(
        "ProcessFailedError", 1, f"the process that converted it ended {how}" + (f" ({words})" if words else "")
    )
