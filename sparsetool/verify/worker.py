"""The child process that runs a model: the only place where an interpreter is loaded.

A wrong sparse file can end the process that runs it, so this one does nothing else. It is started by its
path and, but for the micro runtime, imports nothing of this package, so that it is up in a tenth of a second.

    python worker.py MODEL KERNEL_SET FOLDER [SIGNATURE]

With a signature, its inputs and outputs are meant, else those of the main subgraph.

It speaks one JSON object a line on what was its stdout (the runtime's own prints are sent to stderr):

    {"inputs": [...]}   after loading; it then waits for one line on stdin, {"n_samples": 256}, which says
                        that FOLDER holds input_0.npy ... of the model's dtypes, each [n_samples, *shape];
                        with {"n_samples": 256, "ragged": true} it holds input_0_0.npy ..., one for each input
                        and sample, [*shape]
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


class Whole:
    """The model as a whole: the main subgraph, by the indices of its tensors."""

    def __init__(self, interpreter: Any) -> None:
        self.interpreter = interpreter
        self.inputs, self.outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self.names = {kind: signature_names(interpreter, kind) for kind in ("input", "output")}

    def prepare(self, shapes: list[tuple[int, ...]]) -> None:
        for details, shape in zip(self.inputs, shapes, strict=True):
            if shape != tuple(details["shape"]):
                self.interpreter.resize_tensor_input(details["index"], shape, strict=True)
        self.interpreter.allocate_tensors()
        self.inputs = self.interpreter.get_input_details()

    def answer(self, values: list[Any]) -> list[Any]:
        for details, value in zip(self.inputs, values, strict=True):
            self.interpreter.set_tensor(details["index"], value)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(details["index"]) for details in self.outputs]


class OfSignature:
    """One signature of the model, by the names of its inputs and outputs, in the order of their tensors."""

    def __init__(self, interpreter: Any, key: str) -> None:
        self.runner = interpreter.get_signature_runner(key)
        found = self.runner.get_input_details(), self.runner.get_output_details()
        ordered = [sorted(details.items(), key=lambda item: (item[1]["index"], item[0])) for details in found]
        self.keys = [[name for name, _ in pairs] for pairs in ordered]
        self.inputs, self.outputs = ([details for _, details in pairs] for pairs in ordered)
        self.names = {
            kind: {details["index"]: name for name, details in pairs}
            for kind, pairs in zip(("input", "output"), ordered, strict=True)
        }

    def prepare(self, shapes: list[tuple[int, ...]]) -> None:
        """Nothing: the runner resizes and allocates by itself."""

    def answer(self, values: list[Any]) -> list[Any]:
        found = self.runner(**dict(zip(self.keys[0], values, strict=True)))
        return [np.array(found[name]) for name in self.keys[1]]


def run(model_path: str, kernel_set: str, folder: Path, signature: str, tell: Callable[..., None]) -> None:
    """Loads the model, waits for samples, runs them in order without resetting any state in between."""
    interpreter = open_interpreter(model_path, kernel_set)
    model = OfSignature(interpreter, signature) if signature else Whole(interpreter)
    tell(inputs=[describe(details, model.names["input"]) for details in model.inputs])
    told = json.loads(sys.stdin.readline())
    n_samples, ragged = told["n_samples"], told.get("ragged", False)
    threading.Thread(target=end_with_parent, daemon=True).start()
    places = range(len(model.inputs))
    arrays = [] if ragged else [np.load(folder / f"input_{place}.npy", mmap_mode="r") for place in places]

    def sample(number: int) -> list[Any]:
        if ragged:
            return [np.load(folder / f"input_{place}_{number}.npy") for place in places]
        return [np.array(array[number]) for array in arrays]

    shapes: list[tuple[int, ...]] = []
    answers: list[list[Any]] = [[] for _ in model.outputs]
    for number in range(n_samples):
        values = sample(number)
        if [value.shape for value in values] != shapes or not number:
            shapes = [value.shape for value in values]
            model.prepare(shapes)
        tell(done=number)
        for answer, value in zip(answers, model.answer(values), strict=True):
            answer.append(value)
    tell(done=n_samples)
    if kernel_set == "micro":
        tell(arena_bytes=interpreter.arena_bytes())
    for position, (details, answer) in enumerate(zip(model.outputs, answers, strict=True)):
        if answer[0].dtype.kind not in "biufc":
            raise ValueError(f"output {details['name']} holds no numbers; such outputs cannot be compared")
        same = len({value.shape for value in answer}) == 1
        if same:
            np.save(folder / f"output_{position}.npy", np.stack(answer), allow_pickle=False)
            continue
        for number, value in enumerate(answer):
            np.save(folder / f"output_{position}_{number}.npy", value, allow_pickle=False)
    tell(outputs=[describe(details, model.names["output"]) for details in model.outputs])


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
    model_path, kernel_set, folder, signature = [*sys.argv[1:], ""][:4]
    try:
        run(model_path, kernel_set, Path(folder), signature, tell)
    except Exception as error:  # whatever the runtime raises is the parent's to judge
        tell(failed=f"{error}" or type(error).__name__)


if __name__ == "__main__":
    main()
