"""The child process that times one model: load, first inference and steady inferences, each when it is told to.

A wrong sparse file can end the process that runs it, and where a process lies in memory changes how fast it is; so
each model is timed in processes of its own, of which there are many. It is started by its path and imports nothing of
this package, so that it is up in a tenth of a second.

    python worker.py MODEL KERNEL_SET THREADS FOLDER

FOLDER holds input_0.npy ..., each [n_samples, *shape] of the model's dtypes, but for "inputs". It reads one JSON object
a line on stdin and answers each with one on what was its stdout (the runtime's own prints are sent to stderr):

    (start)                              {}                    up; the runtime is imported and the samples are read
    {"do": "inputs"}                     {"inputs": [...]}     the model's, as it describes them
    {"do": "load"}                       {"ms": 1.2}           from the file to allocated tensors
    {"do": "first"}                      {"ms": 1.2, "resident_bytes": 99}
                                                               the first inference; growth since before load
    {"do": "steady", "invokes": 8, "sample": 3}
                                         {"ms": 0.1}           mean of so many inferences, after one that is not timed

Whatever the runtime raises is answered with {"failed": "..."}. When stdin ends, so does the process.
"""

import contextlib
import ctypes
import gc
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

RESOLVERS = {
    "default": OpResolverType.AUTO,
    "no-delegates": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}
WAKE_UP_NS = 5_000_000
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class TimedModel:
    """One model in this process, from before it is loaded."""

    def __init__(self, model_path: str, kernel_set: str, threads: int, folder: Path) -> None:
        self.model_path, self.threads = model_path, threads
        self.resolver = RESOLVERS[kernel_set]
        paths = sorted(folder.glob("input_*.npy"), key=lambda path: int(path.stem.removeprefix("input_")))
        self.samples = [np.load(path, allow_pickle=False) for path in paths]
        self.interpreter: Any = None
        self.input_indices: list[int] = []
        self.bytes_before = 0

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request:
            case {"do": "inputs"}:
                return {"inputs": self.inputs()}
            case {"do": "load"}:
                wake_up()
                return {"ms": self.load()}
            case {"do": "first"}:
                wake_up()
                self.feed(0)
                return {"ms": self.invoke(1), "resident_bytes": resident_bytes() - self.bytes_before}
            case {"do": "steady", "invokes": int(invokes), "sample": int(sample)}:
                self.feed(sample)
                self.interpreter.invoke()
                return {"ms": self.invoke(invokes) / invokes}
        raise ValueError(f"no request: {request}")

    def load(self) -> float:
        """Loads the model and allocates its tensors; returns milliseconds."""
        self.bytes_before = resident_bytes()
        start = time.perf_counter_ns()
        self.interpreter = self.open()
        inputs = self.interpreter.get_input_details()
        for details, array in zip(inputs, self.samples, strict=True):
            if array.shape[1:] != tuple(details["shape"]):
                self.interpreter.resize_tensor_input(details["index"], array.shape[1:], strict=True)
        self.interpreter.allocate_tensors()
        elapsed = time.perf_counter_ns() - start
        self.input_indices = [details["index"] for details in inputs]
        return elapsed / 1e6

    def feed(self, sample: int) -> None:
        for index, array in zip(self.input_indices, self.samples, strict=True):
            self.interpreter.set_tensor(index, np.array(array[sample % len(array)]))

    def invoke(self, times: int) -> float:
        """Runs the model so often; returns milliseconds for all of it."""
        invoke = self.interpreter.invoke
        start = time.perf_counter_ns()
        for _ in range(times):
            invoke()
        return (time.perf_counter_ns() - start) / 1e6

    def open(self) -> Any:
        return Interpreter(
            model_path=self.model_path, num_threads=self.threads, experimental_op_resolver_type=self.resolver
        )

    def inputs(self) -> list[dict[str, object]]:
        """Returns the fields of a `TensorInfo` for each input."""
        interpreter = self.open()
        keys = list(interpreter.get_signature_list())
        signature = interpreter.get_signature_runner(keys[0]).get_input_details() if len(keys) == 1 else {}
        names = {details["index"]: name for name, details in signature.items()}
        return [
            {
                "name": details["name"],
                "signature_name": names.get(details["index"], ""),
                "shape": details["shape"].tolist(),
                "shape_signature": details["shape_signature"].tolist(),
                "dtype": np.dtype(details["dtype"]).name,
                "scale": float(details["quantization"][0]),
                "zero_point": int(details["quantization"][1]),
            }
            for details in interpreter.get_input_details()
        ]


def wake_up() -> None:
    """Keeps the processor busy for a while, as it is slow just after a sleep, more so for the one who comes first."""
    end = time.perf_counter_ns() + WAKE_UP_NS
    while time.perf_counter_ns() < end:
        pass


def resident_bytes() -> int:
    """Returns what this process has resident, pages of mapped files among it, counted page by page."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:  # not every kernel has it; statm adds up counters that lag behind, each by up to 64 pages
        return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * resource.getpagesize()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))


def main() -> None:
    """Answers what comes in, until nothing more does."""
    speech = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    # However the parent ends, this ends with it: in an endless loop inside the runtime, and while it is stopped.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is expected here and leaves no core file
    model_path, kernel_set, threads, folder = sys.argv[1:]
    model = TimedModel(model_path, kernel_set, int(threads), Path(folder))
    gc.disable()
    speech.write("{}\n")
    for line in sys.stdin:
        try:
            answer = model.answer(json.loads(line))
        except Exception as error:  # whatever the runtime raises is the parent's to judge
            answer = {"failed": f"{error}" or type(error).__name__}
        speech.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
