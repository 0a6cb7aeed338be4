"""Where a model's time goes, operator by operator, in the words of the runtime."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sparsetool.bench.process import Setup, TimedProcess
from sparsetool.bench.rounds import Contestant, describe_inputs
from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.model import Model
from sparsetool_converters.samples import Samples, fit_samples

_WORKER = Path(__file__).with_name("profile_worker.py")
_PROFILE_MS = 500.0  # of all inferences that are profiled
_FEWEST, _MOST = 5, 1000  # of them; the runtime keeps every event
_LINE = re.compile(
    r"^\s*(?P<type>\S.*?)\s+[\d.]+\s+[\d.]+\s+(?P<ms>[\d.]+)\s+[\d.]+%\s+[\d.]+%\s+[\d.]+\s+\d+\s+\[(?P<name>.*)\]:(?P<index>\d+)"
)


@dataclass(frozen=True, kw_only=True)
class OperatorTime:
    """One operator's time in one inference.

    Attributes:
        name: the kind of operator or, of one that a delegate runs, what the delegate calls it; and its position there.
        ms: mean milliseconds.
    """

    name: str
    ms: float


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What the runtime's profiler found.

    Attributes:
        operators: the slowest first; empty where it found nothing.
        problem: why, if it found nothing.
    """

    operators: tuple[OperatorTime, ...]
    problem: str = ""


def profile_operators(contestant: Contestant, *, samples: Samples, setup: Setup, steady_ms: float) -> Profile:
    """Profile some hundred milliseconds of a model that takes `steady_ms`, in a process of its own."""
    invokes = int(min(_MOST, max(_FEWEST, _PROFILE_MS / max(steady_ms, 1e-3))))
    with tempfile.TemporaryDirectory(prefix="sparsetool-bench-") as name:
        folder = Path(name)
        path = folder / "model.tflite"
        path.write_bytes(contestant.model)
        try:
            inputs = describe_inputs(contestant, path, folder, setup)
            for position, array in enumerate(fit_samples(samples, inputs)):
                np.save(folder / f"input_{position}.npy", array[:1], allow_pickle=False)
            path.write_bytes(of_fixed_shapes(contestant.model))
            with TimedProcess(contestant.name, path, folder, setup, _WORKER) as process:
                answer = process.ask("profile", names=[info.name for info in inputs], invokes=invokes)
        except SparseToolError as problem:
            return Profile(operators=(), problem=str(problem))
    operators = operators_of(str(answer["summary"]).splitlines())
    return Profile(operators=operators, problem="" if operators else "the runtime's profiler saw no operator")


def of_fixed_shapes(model: bytes) -> bytes:
    """The same model with dimensions that may be resized fixed at what the file gives, which the profiler asks for."""
    edited = Model.from_bytes(model)
    for graph in edited.subgraphs:
        for tensor in graph.tensors:
            tensor.fields.shapeSignature = None
    return edited.to_bytes()


def operators_of(lines: Sequence[str]) -> tuple[OperatorTime, ...]:
    """Read the runtime's table of operators in the order of their execution; the slowest come first."""
    found = []
    for line in lines:
        if "Top by Computation Time" in line:  # the same operators once more
            break
        if match := _LINE.match(line):
            kind = match["type"].removeprefix("Delegate/")
            where = "delegate operator" if kind != match["type"] else "operator"
            found.append(OperatorTime(name=f"{kind}, {where} {match['index']}", ms=float(match["ms"])))
    return tuple(sorted(found, key=lambda operator: -operator.ms))
