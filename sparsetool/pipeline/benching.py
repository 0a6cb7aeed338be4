"""Any two models in, what timing them against each other measured out."""

import hashlib
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from sparsetool.bench import (
    QUANTITIES,
    Contestant,
    Measurements,
    Profile,
    Setup,
    decide,
    measure,
    profile_operators,
    spread,
    this_processor,
)
from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.sources import load_source
from sparsetool.pipeline.sparse_kernels import sparse_sentences
from sparsetool.pipeline.versions import installed_versions
from sparsetool.report.bench_record import (
    BenchRecord,
    OperatorTimeRecord,
    RatioRecord,
    SpreadRecord,
    TimedModelRecord,
)
from sparsetool_converters.errors import UsageError
from sparsetool_converters.model import Model
from sparsetool_converters.samples import RandomSamples, Samples, SampleSource, gather_samples
from sparsetool_converters.targets import LITERT_KERNEL_SETS, KernelSet

RUNTIME = "ai-edge-litert"
TIME_S = 20.0
TIMEOUT_S = 600.0
N_SAMPLES = 4


def bench_files(
    reference: Path,
    candidate: Path,
    *,
    samples: SampleSource | None = None,
    kernel_set: str = KernelSet.DEFAULT,
    threads: int = 1,
    time_s: float = TIME_S,
    timeout_s: float = TIMEOUT_S,
    listener: Listener | None = None,
) -> BenchRecord:
    """Time two files against each other; see `bench_models`.

    Args:
        reference: the model to compare with, anything that `load_source` reads.
        candidate: the other, likewise.

    Raises:
        ModelFormatError: either is not a model.
    """
    return bench_models(
        load_source(reference),
        load_source(candidate),
        names=(reference.name, candidate.name),
        samples=samples,
        kernel_set=kernel_set,
        threads=threads,
        time_s=time_s,
        timeout_s=timeout_s,
        listener=listener,
    )


def bench_models(
    reference: bytes,
    candidate: bytes,
    *,
    names: tuple[str, str],
    samples: SampleSource | None = None,
    kernel_set: str = KernelSet.DEFAULT,
    threads: int = 1,
    time_s: float = TIME_S,
    timeout_s: float = TIMEOUT_S,
    listener: Listener | None = None,
) -> BenchRecord:
    """Time two models against each other in interleaved rounds, and decide what is more than noise.

    Args:
        reference: the `.tflite` to compare with.
        candidate: the other.
        names: what to call them.
        samples: their inputs, see `gather_samples`; random ones by default. Of many, the first 16 are used.
        kernel_set: the kernels, of LiteRT.
        threads: of the runtime.
        time_s: seconds for all rounds; ten are measured, however long they take.
        timeout_s: seconds for each load and each measurement.
        listener: hears of progress.

    Raises:
        UsageError: the kernel set is not known, or this is not Linux.
        CalibrationDataError: the samples do not fit the inputs of one of them.
        ModelFormatError: either is not a model.
        TargetError: the runtime refuses one of them.
        VerificationError: one of them crashed, or did not end in time.
    """
    if sys.platform != "linux":
        raise UsageError(f"resident memory is read as Linux tells it; this is {sys.platform}")
    if kernel_set not in LITERT_KERNEL_SETS:
        raise UsageError(f"kernel set {kernel_set!r} is not known; known kernel sets: {', '.join(LITERT_KERNEL_SETS)}")
    inputs = RandomSamples(n_samples=N_SAMPLES) if samples is None else gather_samples(samples)
    setup = Setup(kernel_set=KernelSet(kernel_set), threads=threads, timeout_s=timeout_s)
    both = (Contestant(name=names[0], model=reference), Contestant(name=names[1], model=candidate))
    read = [Model.from_bytes(one.model, where=one.name) for one in both]
    hears = listener or Silence()
    task = f"bench {names[1]}"
    with tempfile.TemporaryDirectory(prefix="sparsetool-bench-") as folder:
        found = measure(
            *both,
            samples=inputs,
            setup=setup,
            time_s=time_s,
            folder=Path(folder),
            on_round=lambda done, total: hears.progress(task, done, total),
        )
    profiles = [_profile(both[side], found, side, inputs, setup) for side in range(2)]
    processor = this_processor()
    sentences = [
        sparse_sentences(
            read[side],
            names[side],
            kernel_set=setup.kernel_set,
            processor=processor,
            operators=[operator.name for operator in profiles[side].operators],
        )
        for side in range(2)
    ]
    return BenchRecord(
        reference=_timed(both[0], found, 0, profiles[0]),
        candidate=_timed(both[1], found, 1, profiles[1]),
        ratios=tuple(_ratio(name, found) for name in QUANTITIES),
        sparse=tuple(dict.fromkeys(sentences[0] + sentences[1])),
        notes=tuple(
            dict.fromkeys(
                f"no operators of {one.name}: {profile.problem}"
                for one, profile in zip(both, profiles, strict=True)
                if profile.problem
            )
        ),
        kernel_set=str(setup.kernel_set),
        threads=threads,
        processor=processor.name,
        runtime=f"{RUNTIME} {installed_versions(RUNTIME)[RUNTIME]}",
    )


def _profile(one: Contestant, found: Measurements, side: int, samples: Samples, setup: Setup) -> Profile:
    steady_ms = spread(found.values[side]["steady_ms"]).median
    return profile_operators(one, samples=samples, setup=setup, steady_ms=steady_ms)


def _ratio(name: str, found: Measurements) -> RatioRecord:
    return RatioRecord(quantity=name, rounds=len(found.log_ratios[name]), **asdict(decide(found.log_ratios[name])))


def _timed(one: Contestant, found: Measurements, side: int, profile: Profile) -> TimedModelRecord:
    spreads = {name: SpreadRecord(**asdict(spread(found.values[side][name]))) for name in QUANTITIES}
    whole_ms = sum(operator.ms for operator in profile.operators)
    return TimedModelRecord(
        name=one.name,
        sha256=hashlib.sha256(one.model).hexdigest(),
        disk_bytes=len(one.model),
        **spreads,
        operators=tuple(
            OperatorTimeRecord(name=operator.name, ms=operator.ms, share=operator.ms / whole_ms if whole_ms else 0.0)
            for operator in profile.operators
        ),
    )
