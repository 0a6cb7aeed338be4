"""Rounds of measurements, two models in turn, each round with two new processes and two new copies of the files.

What a round is made of, for models R and C; the next round begins with C:

    write both files, start both processes, samples and runtime in place
    load R, load C; first inference R, C          once in the life of a process
    steady R C, C R, R C, ...                     adjacent, the order swapped from pair to pair

Each steady measurement is the mean over as many inferences as take about two milliseconds, after one that is not
timed: the other model had the caches to itself meanwhile, and the first inference after that is not a steady one.
What lies between two measurements, a message to the other process, is not timed.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sparsetool.bench.process import Setup, TimedProcess
from sparsetool_converters.samples import Samples, fit_samples
from sparsetool_converters.tensor_info import TensorInfo

QUANTITIES = ("load_ms", "first_ms", "steady_ms", "resident_bytes")
MOST_ROUNDS = 16
FEWEST_ROUNDS = 10  # with fewer, nothing could ever be decided, see `noise.py`
MOST_SAMPLES = 16
BATCH_MS = 2.0  # of one steady measurement, far above what a clock or a message takes
FEWEST_PAIRS, ENOUGH_PAIRS, MOST_PAIRS = 2, 20, 60  # of steady measurements in one round

OnRound = Callable[[int, int], None]
"""Called with (rounds done, rounds planned)."""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A model to be timed.

    Attributes:
        name: what to call it.
        model: the `.tflite`.
    """

    name: str
    model: bytes


def _nothing_yet() -> dict[str, list[float]]:
    return {name: [] for name in QUANTITIES}


@dataclass(frozen=True)
class Measurements:
    """What was measured of each quantity.

    Attributes:
        values: for the reference and for the candidate, every single measurement by quantity.
        log_ratios: for each round, the logarithm of candidate over reference by quantity.
    """

    values: tuple[dict[str, list[float]], dict[str, list[float]]] = field(
        default_factory=lambda: (_nothing_yet(), _nothing_yet())
    )
    log_ratios: dict[str, list[float]] = field(default_factory=_nothing_yet)


@dataclass(frozen=True)
class _Scouted:
    """What a first look at a model found.

    Attributes:
        invokes: how many inferences take about BATCH_MS.
        round_s: seconds that a round takes it without any steady measurement.
        measurement_s: seconds of one steady measurement.
    """

    invokes: int
    round_s: float
    measurement_s: float


def measure(
    reference: Contestant,
    candidate: Contestant,
    *,
    samples: Samples,
    setup: Setup,
    time_s: float,
    folder: Path,
    on_round: OnRound,
) -> Measurements:
    """Time both models in turn, in as many rounds as the time allows, ten at least.

    Args:
        reference: the model to compare with.
        candidate: the other.
        samples: their inputs, the same for both; the first 16 are used, one after the other.
        setup: how they are run.
        time_s: seconds for all rounds, to be exceeded only where ten take longer.
        folder: for files.
        on_round: called with (rounds done, rounds planned).

    Raises:
        CalibrationDataError: the samples do not fit the inputs of one of them.
        TargetError: the runtime refuses one of them.
        VerificationError: a process crashed or did not answer in time.
    """
    on_round(0, MOST_ROUNDS)
    models = (reference, candidate)
    places = [folder / "reference", folder / "candidate"]
    for place in places:
        place.mkdir()
    scouted = [_scout(model, place, samples, setup) for model, place in zip(models, places, strict=True)]
    pairs = _pairs(scouted, time_s)
    found = Measurements()
    start = time.monotonic()
    for number in range(MOST_ROUNDS):
        on_round(number, MOST_ROUNDS)
        # Rounds come in twos, one in each order; and no result has a say in how many there are.
        late = time.monotonic() - start > time_s * (1 - 1 / MOST_ROUNDS)
        if late and number >= FEWEST_ROUNDS and number % 2 == 0:
            break
        _round(models, places, scouted, setup, found, pairs=pairs, swapped=number % 2)
    on_round(MOST_ROUNDS, MOST_ROUNDS)
    return found


def _pairs(scouted: Sequence[_Scouted], time_s: float) -> int:
    """How many pairs of steady measurements a round has: many, or where time is short enough of them in fewer rounds.

    An even number, since the order is swapped from pair to pair.
    """
    once_s, pair_s = sum(s.round_s for s in scouted), sum(s.measurement_s for s in scouted)
    in_most, in_fewest = (int((time_s / rounds - once_s) / pair_s) for rounds in (MOST_ROUNDS, FEWEST_ROUNDS))
    pairs = max(in_most, min(ENOUGH_PAIRS, in_fewest))
    return max(FEWEST_PAIRS, min(MOST_PAIRS, pairs - pairs % 2))


def describe_inputs(model: Contestant, path: Path, folder: Path, setup: Setup) -> list[TensorInfo]:
    """The inputs of the model in that file, as the runtime describes them.

    Raises:
        TargetError, VerificationError: as for `measure`.
    """
    with TimedProcess(model.name, path, folder, setup) as process:
        described = process.ask("inputs")["inputs"]
    return [TensorInfo(**{**d, **{k: tuple(d[k]) for k in ("shape", "shape_signature")}}) for d in described]


def _scout(model: Contestant, place: Path, samples: Samples, setup: Setup) -> _Scouted:
    """Fits the samples to the model's inputs, and finds out how long it takes."""
    path = place / "model.tflite"
    path.write_bytes(model.model)
    inputs = describe_inputs(model, path, place, setup)
    for position, array in enumerate(fit_samples(samples, inputs)):
        np.save(place / f"input_{position}.npy", array[:MOST_SAMPLES], allow_pickle=False)
    start = time.monotonic()
    path.write_bytes(model.model)
    with TimedProcess(model.name, path, place, setup) as process:
        process.ask("load")
        process.ask("first")
        round_s = time.monotonic() - start
        invokes = 1
        while (elapsed_ms := invokes * process.ask("steady", invokes=invokes, sample=0)["ms"]) < BATCH_MS:
            invokes = max(2 * invokes, math.ceil(0.8 * BATCH_MS * invokes / max(elapsed_ms, 1e-3)))
        one_ms = elapsed_ms / invokes
    return _Scouted(invokes, round_s, ((invokes + 1) * one_ms + 0.2) / 1e3)


def _round(
    models: Sequence[Contestant],
    places: Sequence[Path],
    scouted: Sequence[_Scouted],
    setup: Setup,
    found: Measurements,
    *,
    pairs: int,
    swapped: int,
) -> None:
    """One round; appends to what was found."""
    both = (1, 0) if swapped else (0, 1)
    once: list[dict[str, float]] = [{}, {}]
    with ExitStack() as stack:
        processes: dict[int, TimedProcess] = {}
        for side in both:
            path = places[side] / "model.tflite"
            path.unlink()  # the pages of the last one go with it
            path.write_bytes(models[side].model)
            processes[side] = stack.enter_context(TimedProcess(models[side].name, path, places[side], setup))
        alone = _Alone(processes, setup.threads > 1)
        for side in both:
            once[side]["load_ms"] = alone.ask(side, "load")["ms"]
        for side in both:
            answer = alone.ask(side, "first")
            once[side] |= {"first_ms": answer["ms"], "resident_bytes": max(answer["resident_bytes"], 1)}
        steady: list[list[float]] = [[], []]
        for pair in range(pairs):
            for side in both if pair % 2 == 0 else both[::-1]:
                invokes = scouted[side].invokes
                steady[side].append(alone.ask(side, "steady", invokes=invokes, sample=pair // 2)["ms"])
    for side in both:
        for name, value in once[side].items():
            found.values[side][name].append(value)
        found.values[side]["steady_ms"] += steady[side]
    for name in once[0]:
        found.log_ratios[name].append(math.log(once[1][name] / once[0][name]))
    found.log_ratios["steady_ms"].append(float(np.median(np.log(steady[1]) - np.log(steady[0]))))


class _Alone:
    """Asks one of two processes; where the runtime has a pool of threads, the other's stand still meanwhile."""

    def __init__(self, processes: dict[int, TimedProcess], pausing: bool) -> None:
        self.processes, self.pausing = processes, pausing
        if pausing:
            for process in processes.values():
                process.pause()

    def ask(self, side: int, do: str, **more: object) -> dict[str, float]:
        process = self.processes[side]
        if self.pausing:
            process.go_on()
        answer = dict(process.ask(do, **more))
        if self.pausing:
            process.pause()
        return answer
