"""Try pairs of small models, a sparse one and its dense twin, whatever they do to their process."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sparsetool_converters.errors import VerificationError
from sparsetool_converters.model import Model
from sparsetool_converters.samples import RandomSamples, fit_samples
from sparsetool_converters.targets import KernelSet, Outcome
from sparsetool_converters.targets.cases.operators import one_op

_WORKER = Path(__file__).with_name("trial_worker.py")
N_SAMPLES = 2
TIMEOUT_S = 60  # for one pair on one kernel set, of which any takes milliseconds
RIGHT_WITHIN_RATIO = 1e-5  # of the largest output: sums in another order
RIGHT_WITHIN_STEPS = 1.0  # of integers
ROUGHLY_WITHIN_RATIO = 0.05  # of the largest output: inputs quantized otherwise


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of a pair on one kernel set.

    Attributes:
        outcome: its kind.
        words: what the runtime said, which signal it ended with, or how far off the numbers are.
    """

    outcome: Outcome
    words: str


def run_trials(
    pairs: Sequence[tuple[bytes, bytes]],
    kernel_sets: Sequence[KernelSet],
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[dict[KernelSet, Trial]]:
    """Run each pair on each kernel set, on random samples, in forks of one child process.

    Args:
        pairs: the dense twin and the sparse model, with inputs alike.
        kernel_sets: the kernels to run them on.
        on_progress: called with (trials done, trials in all).

    Returns:
        For each pair, what came of it on each kernel set.

    Raises:
        VerificationError: a dense twin does not run, or the child process ended.
    """
    trials = [(pair, kernel_set) for pair in range(len(pairs)) for kernel_set in kernel_sets]
    found: list[dict[KernelSet, Trial]] = [{} for _ in pairs]
    with tempfile.TemporaryDirectory(prefix="sparsetool-trials-") as name:
        folder = Path(name)
        for pair, (reference, candidate) in enumerate(pairs):
            (folder / f"{pair}.reference").write_bytes(reference)
            (folder / f"{pair}.candidate").write_bytes(candidate)
            np.savez(folder / f"{pair}.npz", *_samples(reference))
        for number, model in enumerate(_warm_ups()):
            (folder / f"{number}.warm_up").write_bytes(model)
        (folder / "trials.json").write_text(json.dumps(trials), encoding="utf-8")
        # -P: the worker's folder is no place to import from
        command = [sys.executable, "-P", str(_WORKER), name, str(TIMEOUT_S)]
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        ) as child:
            assert child.stdout is not None
            try:
                for done, ((pair, kernel_set), line) in enumerate(zip(trials, child.stdout, strict=False), 1):
                    found[pair][kernel_set] = _judged(json.loads(line))
                    if on_progress is not None:
                        on_progress(done, len(trials))
            finally:
                child.kill()
    if sum(map(len, found)) < len(trials):
        raise VerificationError("trials", "", f"the process that runs them ended with exit code {child.returncode}")
    return found


def _warm_ups() -> list[bytes]:
    return [
        one_op("FULLY_CONNECTED", np.ones((16, 16), np.float32)),
        one_op("CONV_2D", np.ones((16, 3, 3, 16), np.float32)),
    ]


def _samples(model: bytes) -> Sequence[Any]:
    infos = [tensor.info() for tensor in Model.from_bytes(model).subgraphs[0].inputs if tensor is not None]
    return fit_samples(RandomSamples(n_samples=N_SAMPLES), infos)


def _judged(told: dict[str, Any]) -> Trial:
    """What the worker's words about one trial mean."""
    failed = " ".join(told["failed"].split())
    if told["step"] == "reference":
        raise VerificationError("trials", "", f"a dense twin does not run: {failed or told['signal']}")
    if told["signal"] == signal.SIGALRM:
        return Trial(outcome=Outcome.GARBAGE, words=f"did not end within {TIMEOUT_S} s")
    if told["signal"]:
        known = told["signal"] in set(signal.Signals)
        name = signal.Signals(told["signal"]).name if known else f"signal {told['signal']}"
        return Trial(outcome=Outcome.GARBAGE, words=f"ended with {name}")
    if failed:
        at_load = told["step"] == "load"
        return Trial(outcome=Outcome.FAILS_AT_LOAD if at_load else Outcome.FAILS_AT_INVOKE, words=failed)
    distances = [_distance(*difference) for difference in told["differences"]]
    worst = max(distances, key=lambda distance: (_ORDER.index(distance[0]), distance[1]))
    return Trial(outcome=worst[0], words=f"{worst[1]:.1e} of the largest value off")


_ORDER = (Outcome.RIGHT, Outcome.ROUGHLY, Outcome.GARBAGE)


def _distance(difference: float, largest: float, whole: bool) -> tuple[Outcome, float]:
    ratio = 0.0 if difference == 0.0 else difference / largest if largest else float("inf")
    if ratio <= RIGHT_WITHIN_RATIO or (whole and difference <= RIGHT_WITHIN_STEPS):
        return Outcome.RIGHT, ratio
    return Outcome.ROUGHLY if ratio <= ROUGHLY_WITHIN_RATIO else Outcome.GARBAGE, ratio
