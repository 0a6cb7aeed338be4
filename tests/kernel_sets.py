"""Outputs of small models on each kernel set, here or in a process of their own."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from sparsetool.verify import ALL_KERNEL_SETS, FinishedRun, KernelSet, RandomSamples, Run, fit_samples, run_model
from sparsetool_converters.model import Model

RESOLVERS = {
    KernelSet.DEFAULT: OpResolverType.AUTO,
    KernelSet.NO_DELEGATES: OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    KernelSet.REFERENCE: OpResolverType.BUILTIN_REF,
}
FLOAT_TOLERANCE = 1e-5  # of the largest output: sums in another order
STEP_TOLERANCE = 1.0  # of integers
N_SAMPLES = 2
TIMEOUT_S = 60

Array = npt.NDArray[Any]


def isolated_runs(data: bytes) -> dict[KernelSet, Run]:
    """How a model does on each kernel set, on random samples, in processes that it may end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(data)
        samples = RandomSamples(n_samples=N_SAMPLES)
        return {k: run_model(path, samples, k, timeout_s=TIMEOUT_S) for k in ALL_KERNEL_SETS}


def reference_outputs(data: bytes) -> dict[KernelSet, list[Array]]:
    """The outputs [n, *shape] of a dense model on each kernel set, on the same samples, in this process."""
    infos = [tensor.info() for tensor in Model.from_bytes(data).subgraphs[0].inputs if tensor is not None]
    samples = fit_samples(RandomSamples(n_samples=N_SAMPLES), infos)
    found = {}
    for kernel_set in ALL_KERNEL_SETS:
        answers = [run_here(data, *(a[i] for a in samples), kernel_set=kernel_set) for i in range(N_SAMPLES)]
        found[kernel_set] = [np.stack(values) for values in zip(*answers, strict=True)]
    return found


def run_here(data: bytes, *inputs: Array, kernel_set: KernelSet = KernelSet.DEFAULT) -> list[Array]:
    """The outputs of a model that cannot harm this process."""
    interpreter = Interpreter(model_content=data, num_threads=1, experimental_op_resolver_type=RESOLVERS[kernel_set])
    interpreter.allocate_tensors()
    for details, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(details["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]


def worst_differences(dense: bytes, candidate: bytes) -> dict[KernelSet, float]:
    """How far a candidate, run in processes of its own, is from its dense twin: on each kernel set, the worst output.

    In units of the tolerance: of `FLOAT_TOLERANCE` for floats, of `STEP_TOLERANCE` for integers. A run that did
    not finish counts as infinite.
    """
    runs, worst = isolated_runs(candidate), {}
    for kernel_set, expected in reference_outputs(dense).items():
        run = runs[kernel_set]
        worst[kernel_set] = np.inf
        if isinstance(run, FinishedRun):
            pairs = zip(expected, (output.values for output in run.outputs), strict=True)
            worst[kernel_set] = max(difference(a, b) for a, b in pairs)
    return worst


def difference(expected: Array, found: Array) -> float:
    """The largest difference in units of the tolerance; infinite where anything is not a number."""
    a, b = expected.astype(np.float64), found.astype(np.float64)
    tolerance = STEP_TOLERANCE if expected.dtype.kind == "i" else FLOAT_TOLERANCE * np.abs(a).max()
    worst = np.abs(a - b).max() / tolerance
    return float(worst) if np.isfinite(worst) else np.inf


def assert_alike(dense: bytes, candidate: bytes) -> None:
    """Fails unless a candidate is within the tolerance of its dense twin on every kernel set."""
    worst = worst_differences(dense, candidate)
    assert max(worst.values()) <= 1.0, worst


def assert_same_answers(before: bytes, after: bytes, samples: Sequence[Array]) -> None:
    """Fails unless both models, run here, give the same integers to the bit and the same floats but for rounding."""
    for kernel_set in RESOLVERS:
        expected, found = (run_here(data, *samples, kernel_set=kernel_set) for data in (before, after))
        for position, (one, other) in enumerate(zip(expected, found, strict=True)):
            where = f"output {position} on {kernel_set}"
            assert one.shape == other.shape, where
            if one.dtype.kind == "f":
                limit = FLOAT_TOLERANCE * max(1.0, float(np.abs(one).max()))
                assert float(np.abs(one - other).max()) <= limit, where
            else:
                assert np.array_equal(one, other), where
