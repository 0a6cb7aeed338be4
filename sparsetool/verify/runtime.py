"""Runs a model file in a process of its own, whatever it does to that process."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sparsetool.verify.runs import CrashedRun, FailedRun, FinishedRun, Run, RunOutput, TimedOutRun
from sparsetool_converters.samples import RaggedSamples, Samples, fit_ragged, fit_samples, sample_count
from sparsetool_converters.targets import KernelSet
from sparsetool_converters.tensor_info import TensorInfo

OnProgress = Callable[[int, int], None]
"""Called with (samples done, samples in all)."""

_WORKER = Path(__file__).with_name("worker.py")
_LAST_WORDS = 3  # lines of stderr that go into a message


def run_model(
    model_path: str | os.PathLike[str],
    samples: Samples,
    kernel_set: KernelSet,
    *,
    timeout_s: float,
    signature: str = "",
    on_progress: OnProgress | None = None,
) -> Run:
    """Runs every sample in order, from a fresh interpreter on one thread, in a child process.

    An error of the runtime, a crash and a timeout are records, not exceptions. However this ends, the child
    is gone and its files with it.

    Args:
        model_path: a `.tflite` file.
        samples: arrays or a request for random ones. They are one sequence: state that the model keeps lives from
            sample to sample. Where their shapes differ, inputs are resized in between.
        kernel_set: the kernels to run it on.
        timeout_s: seconds of wall clock for all of it, the start of the process included.
        signature: the signature to call, by its key; empty for the model as a whole, its main subgraph.
        on_progress: called with (samples done, samples in all), first when the first sample is about to run.

    Raises:
        CalibrationDataError: the samples do not fit the model's inputs.
    """
    n_samples = sample_count(samples)
    deadline = time.monotonic() + timeout_s
    with tempfile.TemporaryDirectory(prefix="sparsetool-verify-") as folder:
        # -P: the worker's folder is no place to import from
        command = [sys.executable, "-P", str(_WORKER), os.fspath(model_path), str(kernel_set), folder, signature]
        with (
            Path(folder, "stderr.txt").open("w+b") as stderr,
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for the parent, which ends the child
            ) as child,
        ):
            try:
                talk = _Talk(child, Path(folder), samples, n_samples, signature, on_progress)
                try:
                    talk.follow(deadline)
                    exit_code = child.wait(max(0.0, deadline - time.monotonic()))
                except (TimeoutError, subprocess.TimeoutExpired):
                    return TimedOutRun(kernel_set=kernel_set, step=talk.step, timeout_s=timeout_s)
                return talk.ending(kernel_set, exit_code)
            finally:
                child.kill()
                child.wait()


class _Talk:
    """The parent's side of the conversation that `worker.py` describes."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        folder: Path,
        samples: Samples,
        n_samples: int,
        signature: str,
        on_progress: OnProgress | None,
    ) -> None:
        self.child, self.folder = child, folder
        self.samples, self.n_samples = samples, n_samples
        self.signature, self.on_progress = signature, on_progress
        self.step = "load"
        self.inputs: tuple[TensorInfo, ...] = ()
        self.outputs: tuple[TensorInfo, ...] | None = None
        self.arena_bytes: int | None = None
        self.failure = ""

    def follow(self, deadline: float) -> None:
        """Answers the child until it closes its end; raises TimeoutError when the time is up."""
        for message in _messages(self.child, deadline):
            match message:
                case {"inputs": inputs}:
                    self.inputs = tuple(_tensor_info(fields) for fields in inputs)
                    self.step = "allocate"
                    self._hand_over_samples()
                case {"done": int(done)}:
                    self.step = f"sample {done}" if done < self.n_samples else "exit"
                    if self.on_progress is not None:
                        self.on_progress(done, self.n_samples)
                case {"arena_bytes": int(arena_bytes)}:
                    self.arena_bytes = arena_bytes
                case {"outputs": outputs}:
                    self.outputs = tuple(_tensor_info(fields) for fields in outputs)
                case {"failed": str(text)}:
                    self.failure = " ".join(text.split())

    def ending(self, kernel_set: KernelSet, exit_code: int) -> Run:
        """Returns the record of a child that has ended by itself."""
        if self.failure:
            # The micro runtime raises without a reason, and prints it.
            reason = self._last_words() if kernel_set is KernelSet.MICRO else ""
            message = f"{self.failure} ({reason})" if reason else self.failure
            return FailedRun(kernel_set=kernel_set, step=self.step, message=message)
        if exit_code < 0:
            return CrashedRun(
                kernel_set=kernel_set,
                step=self.step,
                signal_name=_signal_name(-exit_code),
                last_words=self._last_words(),
            )
        if exit_code > 0 or self.outputs is None:
            message = self._last_words() or f"the process ended with exit code {exit_code}"
            return FailedRun(kernel_set=kernel_set, step=self.step, message=message)
        outputs = tuple(self._output(position, info) for position, info in enumerate(self.outputs))
        return FinishedRun(
            kernel_set=kernel_set,
            inputs=self.inputs,
            outputs=outputs,
            n_samples=self.n_samples,
            signature=self.signature,
            arena_bytes=self.arena_bytes,
        )

    def _output(self, position: int, info: TensorInfo) -> RunOutput:
        whole = self.folder / f"output_{position}.npy"
        if whole.exists():
            return RunOutput(info=info, values=np.load(whole, allow_pickle=False))
        numbers = range(self.n_samples)
        pieces = [np.load(self.folder / f"output_{position}_{i}.npy", allow_pickle=False) for i in numbers]
        last = {piece.shape[-1:] for piece in pieces}
        rows = len(last) == 1 and all(piece.ndim > 1 for piece in pieces)
        flat = [piece.reshape(-1, piece.shape[-1]) if rows else piece.ravel() for piece in pieces]
        return RunOutput(info=info, values=np.concatenate(flat), shapes=tuple(piece.shape for piece in pieces))

    def _hand_over_samples(self) -> None:
        ragged = isinstance(self.samples, RaggedSamples)
        if isinstance(self.samples, RaggedSamples):
            for number, sample in enumerate(fit_ragged(self.samples, self.inputs)):
                for position, array in enumerate(sample):
                    np.save(self.folder / f"input_{position}_{number}.npy", array, allow_pickle=False)
        else:
            for position, array in enumerate(fit_samples(self.samples, self.inputs)):
                np.save(self.folder / f"input_{position}.npy", array, allow_pickle=False)
        assert self.child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it may have ended; its exit code will say how
            told = {"n_samples": self.n_samples, "ragged": ragged}
            self.child.stdin.write(json.dumps(told).encode() + b"\n")

    def _last_words(self) -> str:
        text = Path(self.folder, "stderr.txt").read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("INFO:")]
        return " | ".join(lines[-_LAST_WORDS:])


def _messages(child: subprocess.Popen[bytes], deadline: float) -> Iterator[dict[str, Any]]:
    """Yields what the child says until it closes its end; raises TimeoutError when the time is up."""
    assert child.stdout is not None
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0 or not selector.select(remaining_s):
                raise TimeoutError
            chunk = os.read(child.stdout.fileno(), 1 << 16)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                yield json.loads(line)


def _tensor_info(fields: Mapping[str, Any]) -> TensorInfo:
    shapes = {name: tuple(fields[name]) for name in ("shape", "shape_signature")}
    return TensorInfo(**{**fields, **shapes})


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
