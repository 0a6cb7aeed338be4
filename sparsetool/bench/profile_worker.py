"""The child process that has the runtime itself tell where a model's time goes.

The interpreter of the Python package has no profiler. The C interface of the library in the same wheel has one, of the
compiled model, which runs the same kernels: litert/c/litert_profiler.h @ f674577. It counts in whole microseconds.
It is started, asked and answers as `worker.py` does:

    {"do": "profile", "names": [...], "invokes": 99}   {"summary": "..."}   the runtime's own table

`names` are those of the inputs whose samples FOLDER holds, in the order of the files.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

# LiteRtCpuKernelMode. Its third, for the reference kernels, runs the optimized ones in ai-edge-litert 2.3.0: sparse
# weights, which the reference kernels unpack anew at each inference, take as long there as on the optimized ones.
KERNEL_MODES = {"default": 0, "no-delegates": 2}
CPU = 1  # kLiteRtHwAcceleratorCpu
WRITE = 1  # kLiteRtTensorBufferLockModeWrite
RANKED_TYPE_BYTES = 256  # LiteRtRankedTensorType takes less
PR_SET_PDEATHSIG = 1  # linux/prctl.h
WARM_UP = 3

Handle = ctypes.c_void_p
Size = ctypes.c_size_t


class Library:
    """The functions of the C interface; each raises what the runtime refuses."""

    def __init__(self) -> None:
        import ai_edge_litert

        self.library = ctypes.CDLL(str(Path(ai_edge_litert.__path__[0], "libLiteRt.so")))
        self.libc = ctypes.CDLL(None)
        self.libc.strdup.restype = Handle

    def call(self, function: str, *arguments: Any) -> None:
        status = getattr(self.library, function)(*arguments)
        if status:
            raise RuntimeError(f"{function} returns status {status}")

    def made(self, function: str, *arguments: Any) -> Handle:
        """Calls a function whose last argument is where it puts what it makes."""
        handle = Handle()
        self.call(function, *arguments, ctypes.byref(handle))
        return handle

    def options(self, kernel_set: str, threads: int) -> Handle:
        options = self.made("LiteRtCreateOptions")
        self.call("LiteRtSetOptionsHardwareAccelerators", options, CPU)
        texts = {
            b"runtime_options_string": "enable_profiling = true\n",
            b"xnnpack": f"num_threads = {threads}\nkernel_mode = {KERNEL_MODES[kernel_set]}\n",
        }
        free = ctypes.cast(self.libc.free, Handle)
        for kind, text in texts.items():
            copied = Handle(self.libc.strdup(text.encode()))
            self.call("LiteRtAddOpaqueOptions", options, self.made("LiteRtCreateOpaqueOptions", kind, copied, free))
        return options


class ProfiledModel:
    """One compiled model, its inputs filled with the first sample."""

    def __init__(self, model_path: str, kernel_set: str, threads: int, samples: dict[str, Any]) -> None:
        if kernel_set not in KERNEL_MODES:
            raise RuntimeError(f"the runtime's profiler does not run the {kernel_set} kernels")
        self.library = Library()
        made = self.library.made
        self.environment = made("LiteRtCreateEnvironment", 0, None)
        self.model = made("LiteRtCreateModelFromFile", self.environment, model_path.encode())
        options = self.library.options(kernel_set, threads)
        self.compiled = made("LiteRtCreateCompiledModel", self.environment, self.model, options)
        self.profiler = made("LiteRtCompiledModelGetProfiler", self.compiled)
        if not self.profiler:
            raise RuntimeError("the runtime gives no profiler")
        self.signature = made("LiteRtGetModelSignature", self.model, Size(0))
        self.inputs, self.outputs = self.buffers("Input", samples), self.buffers("Output", {})

    def buffers(self, kind: str, samples: dict[str, Any]) -> Any:
        count = Size()
        self.library.call(f"LiteRtGetNumSignature{kind}s", self.signature, ctypes.byref(count))
        found = []
        for index in range(count.value):
            made = self.library.made
            tensor = made(f"LiteRtGetSignature{kind}TensorByIndex", self.signature, Size(index))
            ranked = ctypes.create_string_buffer(RANKED_TYPE_BYTES)
            self.library.call("LiteRtGetRankedTensorType", tensor, ranked)
            needs = made(f"LiteRtGetCompiledModel{kind}BufferRequirements", self.compiled, Size(0), Size(index))
            buffer = made("LiteRtCreateManagedTensorBufferFromRequirements", self.environment, ranked, needs)
            if kind == "Input":
                name = ctypes.c_char_p()
                self.library.call("LiteRtGetTensorName", tensor, ctypes.byref(name))
                self.fill(buffer, samples[(name.value or b"").decode("utf-8", "replace")])
            found.append(buffer)
        return (Handle * len(found))(*found)

    def fill(self, buffer: Handle, sample: Any) -> None:
        size = Size()
        self.library.call("LiteRtGetTensorBufferPackedSize", buffer, ctypes.byref(size))
        if size.value != sample.nbytes:
            raise RuntimeError(f"an input takes {size.value} bytes, and samples have {sample.nbytes}")
        place = Handle()
        self.library.call("LiteRtLockTensorBuffer", buffer, ctypes.byref(place), WRITE)
        ctypes.memmove(place, sample.tobytes(), sample.nbytes)
        self.library.call("LiteRtUnlockTensorBuffer", buffer)

    def run(self, times: int) -> None:
        inputs, outputs = (Size(len(self.inputs)), self.inputs), (Size(len(self.outputs)), self.outputs)
        for _ in range(times):
            self.library.call("LiteRtRunCompiledModel", self.compiled, Size(0), *inputs, *outputs)

    def profile(self, invokes: int) -> str:
        self.run(WARM_UP)
        self.library.call("LiteRtStartProfiler", self.profiler)
        self.run(invokes)
        self.library.call("LiteRtStopProfiler", self.profiler)
        summary = ctypes.c_char_p()
        self.library.call("LiteRtGetProfileSummary", self.profiler, self.compiled, ctypes.byref(summary))
        return (summary.value or b"").decode("utf-8", "replace")


def profile(arguments: Sequence[str], names: Sequence[str], invokes: int) -> dict[str, str]:
    model_path, kernel_set, threads, folder = arguments
    samples = {
        name: np.ascontiguousarray(np.load(Path(folder, f"input_{position}.npy"), allow_pickle=False)[0])
        for position, name in enumerate(names)
    }
    return {"summary": ProfiledModel(model_path, kernel_set, int(threads), samples).profile(invokes)}


def main() -> None:
    """Answers what comes in, until nothing more does."""
    speech = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # however the parent ends, this ends with it
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    speech.write("{}\n")
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = profile(sys.argv[1:], request["names"], request["invokes"])
        except Exception as error:  # whatever the runtime raises is the parent's to judge
            answer = {"failed": f"{error}" or type(error).__name__}
        speech.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
