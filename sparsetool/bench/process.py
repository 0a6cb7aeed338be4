"""The parent's side of a process that times a model: ask, and have an answer or a typed error, never a hang."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from sparsetool_converters.errors import TargetError, VerificationError
from sparsetool_converters.targets import KernelSet

STAGE = "bench"
_WORKER = Path(__file__).with_name("worker.py")
_LAST_WORDS = 3  # lines of stderr that go into a message


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How models are run.

    Attributes:
        kernel_set: the kernels.
        threads: of the runtime.
        timeout_s: seconds for each answer.
    """

    kernel_set: KernelSet
    threads: int
    timeout_s: float


class TimedProcess:
    """A process of its own for one model; on leaving, it is gone.

    Args:
        name: what to call the model in errors.
        path: the `.tflite` file.
        folder: samples for its inputs, see `worker.py`.
        setup: how it is run.
        worker: the program; all speak as `worker.py` does.
    """

    def __init__(self, name: str, path: Path, folder: Path, setup: Setup, worker: Path = _WORKER) -> None:
        self.name, self.setup = name, setup
        # -P: the worker's folder is no place to import from
        command = [sys.executable, "-P", str(worker), str(path), str(setup.kernel_set), str(setup.threads), str(folder)]
        self._stderr: IO[bytes] = (folder / f"stderr-{os.urandom(4).hex()}").open("w+b")
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the parent, which ends the child
        )
        self._pending = b""

    def __enter__(self) -> Self:
        try:
            self._answer("start")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def ask(self, do: str, **more: object) -> Mapping[str, Any]:
        """The answer to one request of `worker.py`.

        Raises:
            TargetError: the runtime refuses the model.
            VerificationError: the process ended, or did not answer in time.
        """
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it may have ended; its exit code will say how
            self._child.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        return self._answer(do)

    def pause(self) -> None:
        """Stop whatever threads it has: those of a pool spin for a while when their work is done."""
        self._child.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Undo `pause`."""
        self._child.send_signal(signal.SIGCONT)

    def _answer(self, step: str) -> Mapping[str, Any]:
        line = self._line(step)
        if not line:
            raise VerificationError(STAGE, self.name, self._ending(step))
        answer: Mapping[str, Any] = json.loads(line)
        if "failed" in answer:
            words = " ".join(str(answer["failed"]).split())
            raise TargetError(f"litert, {self.setup.kernel_set} kernels", f"{self.name} failed at {step}: {words}")
        return answer

    def _line(self, step: str) -> bytes:
        """The next line; empty when the process has closed its end."""
        assert self._child.stdout is not None
        deadline = time.monotonic() + self.setup.timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                remaining_s = deadline - time.monotonic()
                if remaining_s <= 0 or not selector.select(remaining_s):
                    problem = f"did not answer within {self.setup.timeout_s:g} s, at {step}; give it more time"
                    raise VerificationError(STAGE, self.name, problem)
                chunk = os.read(self._child.stdout.fileno(), 1 << 16)
                if not chunk:
                    return b""
                self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _ending(self, step: str) -> str:
        code = self._child.wait()
        words = f" (last words: {self._last_words()})" if self._last_words() else ""
        if code < 0:
            known = -code in set(signal.Signals)
            return f"crashed with {signal.Signals(-code).name if known else f'signal {-code}'} at {step}{words}"
        return f"its process ended with exit code {code} at {step}{words}"

    def _last_words(self) -> str:
        self._stderr.seek(0)
        text = self._stderr.read().decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("INFO:")]
        return " | ".join(lines[-_LAST_WORDS:])

    def _end(self) -> None:
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout, self._stderr):
            if pipe is not None:
                pipe.close()
        Path(self._stderr.name).unlink(missing_ok=True)
