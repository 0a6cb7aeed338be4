"""The child process that runs many pairs of small models, each in a fork of its own.

A fork of a process that has loaded the interpreter is up at once, and a crash ends the fork alone. The models that
this process runs itself before that are of no pair, so that memory which a fork reads without having written it holds
no right answer; where the processor is emulated they save every fork from translating the same code once more.
It is started by its path and, but for the micro runtime, imports nothing of this package.

    python trial_worker.py FOLDER TIMEOUT_S

FOLDER/trials.json is a list of [pair, kernel set]; FOLDER holds <pair>.candidate and <pair>.reference, two models,
and <pair>.npz with their samples, one array for each input; *.warm_up are models that are safe to run.
After each trial it writes one JSON object a line to what was its stdout:

    {"step": "load" | "invoke" | "reference" | "done", "failed": words, "signal": number, "differences": [...]}

`step` is how far it came, `failed` what the runtime raised, `signal` what ended the process, 0 if none did.
`differences` has for each output the largest difference and the largest absolute value of the reference, and
whether they are whole numbers.
"""

import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

RESOLVERS = {
    "default": OpResolverType.AUTO,
    "no-delegates": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}


def open_interpreter(model: bytes, kernel_set: str) -> Any:
    """Returns an interpreter, or what looks like one to the functions here."""
    if kernel_set == "micro":
        from sparsetool.verify.micro_interpreter import MicroInterpreter

        return MicroInterpreter(model)
    return Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=RESOLVERS[kernel_set])


def answers(model: bytes, samples: list[Any], kernel_set: str, reached: Callable[[str], None]) -> list[Any]:
    """Returns each output, [n_samples, *shape]."""
    interpreter = open_interpreter(model, kernel_set)
    interpreter.allocate_tensors()
    reached("invoke")
    found = []
    for sample in zip(*samples, strict=True):
        for details, values in zip(interpreter.get_input_details(), sample, strict=True):
            interpreter.set_tensor(details["index"], np.array(values))
        interpreter.invoke()
        found.append([interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()])
    return [np.stack(values) for values in zip(*found, strict=True)]


def run_once(model: bytes, kernel_set: str) -> None:
    """Runs a model on zeros."""
    interpreter = open_interpreter(model, kernel_set)
    interpreter.allocate_tensors()
    interpreter.invoke()


@dataclass(frozen=True)
class Pair:
    """Two models and their samples, one array for each input."""

    candidate: bytes
    reference: bytes
    samples: list[Any]

    @classmethod
    def load(cls, folder: Path, name: str) -> "Pair":
        """Reads a pair; done before the fork, which would have to import whatever this needs."""
        with np.load(folder / f"{name}.npz") as arrays:
            samples = [arrays[key] for key in arrays.files]
        return cls((folder / f"{name}.candidate").read_bytes(), (folder / f"{name}.reference").read_bytes(), samples)


def try_pair(pair: Pair, kernel_set: str, tell: Callable[..., None]) -> None:
    """Runs both models on one kernel set."""
    # First the candidate: memory that nobody wrote must not hold what the reference left there.
    candidate = answers(pair.candidate, pair.samples, kernel_set, lambda step: tell(step=step))
    tell(step="reference")
    reference = answers(pair.reference, pair.samples, kernel_set, lambda _: None)
    tell(step="done", differences=[compared(a, b) for a, b in zip(reference, candidate, strict=True)])


def compared(reference: Any, candidate: Any) -> tuple[float, float, bool]:
    """Returns the largest difference, the largest absolute value of the reference, and whether both are integers."""
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        worst = np.abs(a - b).max(initial=0.0) if a.shape == b.shape else np.inf
    worst = float(worst) if np.isfinite(worst) else sys.float_info.max
    return worst, float(np.abs(a).max(initial=0.0)), reference.dtype.kind in "iu"


def in_fork(work: Callable[[Callable[..., None]], None], timeout_s: int) -> dict[str, Any]:
    """Returns what the work told, whatever became of the fork that did it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(timeout_s)
        try:
            work(partial(write_line, writing))
        except Exception as error:  # whatever the runtime raises is the parent's to judge
            write_line(writing, failed=f"{error}" or type(error).__name__)
        os._exit(0)
    os.close(writing)
    told: dict[str, Any] = {"step": "load", "failed": "", "signal": 0, "differences": []}
    with os.fdopen(reading, encoding="utf-8") as lines:
        for line in lines:
            told |= json.loads(line)
    _, status = os.waitpid(child, 0)
    told["signal"] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return told


def write_line(descriptor: int, **facts: object) -> None:
    """Writes one JSON object at once, so that nothing is lost if the process ends right after."""
    os.write(descriptor, json.dumps(facts).encode() + b"\n")


def main() -> None:
    """Runs what the command line says and tells the parent how it went."""
    speech = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # crashes are expected here and leave no core file
    folder, timeout_s = Path(sys.argv[1]), int(sys.argv[2])
    trials = json.loads((folder / "trials.json").read_text(encoding="utf-8"))
    for path in sorted(folder.glob("*.warm_up")):
        for kernel_set in dict.fromkeys(kernel_set for _, kernel_set in trials):
            run_once(path.read_bytes(), kernel_set)
    for pair, kernel_set in trials:
        told = in_fork(partial(try_pair, Pair.load(folder, str(pair)), kernel_set), timeout_s)
        speech.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
