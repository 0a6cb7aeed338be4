"""The child process that runs a model: the only place where an interpreter is loaded.

A wrong sparse file can end the process that runs it, so this one does nothing else. It is started by its
path and, but for the micro runtime, imports nothing of this package, so that it is up in a tenth of a second.

    python worker.py MODEL KERNEL_SET FOLDER

It speaks one JSON object a line on what was its stdout (the runtime's own prints are sent to stderr):

    {"inputs": [...]}   after loading; it then waits for one line on stdin, {"n_samples": 256}, which says
                        that FOLDER holds input_0.npy ... of the model's dtypes, each [n_samples, *shape]
    {"done": 0}         after allocation, and again with 1, 2, ... after each sample
    {"arena_bytes": 99} what the micro runtime's arena holds; other runtimes have none
    {"outputs": [...]}  FOLDER holds output_0.npy ..., each [n_samples, *shape]
    {"failed": "..."}   the runtime raised

When stdin ends, the parent is gone, and so is the child, even from an endless loop inside the runtime.
"""

import contextlib
import json
import os
import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

RESOLVERS = {
    "default": OpResolverType.AUTO,
    "no-delegates": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}


def describe(details: dict[str, Any], signature_names: dict[int, str]) -> dict[str, object]:
    """Returns the fields of a `TensorInfo` as JSON has them."""
    scale, zero_point = details["quantization"]
    return {
        "name": details["name"],
        "signature_name": signature_names.get(details["index"], ""),
        "shape": details["shape"].tolist(),
        "shape_signature": details["shape_signature"].tolist(),
        "dtype": np.dtype(details["dtype"]).name,
        "scale": float(scale),
        "zero_point": int(zero_point),
    }


def open_interpreter(model_path: str, kernel_set: str) -> Any:
    """Returns an interpreter, or what looks like one to the functions here."""
    if kernel_set == "micro":
        from sparsetool.verify.micro_interpreter import MicroInterpreter

        return MicroInterpreter(Path(model_path).read_bytes())
    return Interpreter(model_path=model_path, num_threads=1, experimental_op_resolver_type=RESOLVERS[kernel_set])


def signature_names(interpreter: Any, kind: str) -> dict[int, str]:
    """Returns tensor index -> name in the model's only signature; `kind` is "input" or "output"."""
    keys = list(interpreter.get_signature_list())
    if len(keys) != 1:
        return {}
    runner = interpreter.get_signature_runner(keys[0])
    found = runner.get_input_details() if kind == "input" else runner.get_output_details()
    return {details["index"]: name for name, details in found.items()}


def run(model_path: str, kernel_set: str, folder: Path, tell: Callable[..., None]) -> None:
    """Loads the model, waits for samples, runs them in order without resetting any state in between."""
    interpreter = open_interpreter(model_path, kernel_set)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    names = signature_names(interpreter, "input")
    tell(inputs=[describe(details, names) for details in inputs])
    n_samples = json.loads(sys.stdin.readline())["n_samples"]
    threading.Thread(target=end_with_parent, daemon=True).start()
    samples = [np.load(folder / f"input_{position}.npy", mmap_mode="r") for position in range(len(inputs))]
    for details, array in zip(inputs, samples, strict=True):
        if array.shape[1:] != tuple(details["shape"]):
            interpreter.resize_tensor_input(details["index"], array.shape[1:], strict=True)
    interpreter.allocate_tensors()
    tell(done=0)
    answers: list[list[Any]] = [[] for _ in outputs]
    for sample in range(n_samples):
        for details, array in zip(inputs, samples, strict=True):
            interpreter.set_tensor(details["index"], np.array(array[sample]))
        interpreter.invoke()
        for details, answer in zip(outputs, answers, strict=True):
            answer.append(interpreter.get_tensor(details["index"]))
        tell(done=sample + 1)
    if kernel_set == "micro":
        tell(arena_bytes=interpreter.arena_bytes())
    for position, (details, answer) in enumerate(zip(outputs, answers, strict=True)):
        shapes = sorted({value.shape for value in answer})
        if len(shapes) > 1:
            raise ValueError(
                f"output {details['name']} changes its shape from sample to sample, {list(shapes[0])} to "
                f"{list(shapes[-1])}; such outputs cannot be compared"
            )
        values = np.stack(answer)
        if values.dtype.kind not in "biufc":
            raise ValueError(f"output {details['name']} holds no numbers; such outputs cannot be compared")
        np.save(folder / f"output_{position}.npy", values, allow_pickle=False)
    names = signature_names(interpreter, "output")
    tell(outputs=[describe(details, names) for details in outputs])


def end_with_parent() -> None:
    """Ends this process when its stdin ends."""
    # os.read, since a thread inside sys.stdin would hold a lock that the interpreter's own exit needs
    os.read(0, 1)
    os._exit(1)


def main() -> None:
    """Runs what the command line says and tells the parent how it went."""
    speech = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def tell(**message: object) -> None:
        speech.write(json.dumps(message) + "\n")

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is expected here and leaves no core file
    model_path, kernel_set, folder = sys.argv[1:]
    try:
        run(model_path, kernel_set, Path(folder), tell)
    except Exception as error:  # whatever the runtime raises is the parent's to judge
        tell(failed=f"{error}" or type(error).__name__)


if __name__ == "__main__":
    main()
