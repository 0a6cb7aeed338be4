"""What timing two models against each other measured."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SpreadRecord:
    """Several measurements of one thing.

    Attributes:
        median: the middle one.
        low: lower quartile.
        high: upper quartile.
        count: how many there were.
    """

    median: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, kw_only=True)
class OperatorTimeRecord:
    """Where a model's time goes.

    Attributes:
        name: the operator, as the runtime names it; of a delegate, the delegate's own name for it.
        ms: milliseconds of one steady inference.
        share: that, as a share of all operators.
    """

    name: str
    ms: float
    share: float


@dataclass(frozen=True, kw_only=True)
class TimedModelRecord:
    """One of the two models.

    Attributes:
        name: the file's name.
        sha256: of the .tflite.
        disk_bytes: the .tflite.
        load_ms: from the file to allocated tensors, once in each process; the file is in the page cache.
        first_ms: the first inference after that, once in each process.
        steady_ms: later inferences; each measurement is the mean over about two milliseconds of them.
        resident_bytes: what the process has resident more after load and first inference than before, once in each
            process. Pages of the model file that the runtime has mapped and read are among it, as are those of its
            own code.
        operators: the slowest operators first, by the profiler of the runtime in a run of its own; empty where that
            gives none, see the notes.
    """

    name: str
    sha256: str
    disk_bytes: int
    load_ms: SpreadRecord
    first_ms: SpreadRecord
    steady_ms: SpreadRecord
    resident_bytes: SpreadRecord
    operators: tuple[OperatorTimeRecord, ...]


@dataclass(frozen=True, kw_only=True)
class RatioRecord:
    """One quantity of the candidate as a share of the reference's, from interleaved pairs of measurements.

    Attributes:
        quantity: "load_ms", "first_ms", "steady_ms" or "resident_bytes".
        ratio: candidate over reference.
        low: lower end of the interval that holds it; those of all quantities hold at 99 % together.
        high: upper end of it.
        rounds: pairs of processes that it comes from, each with one log-ratio.
        verdict: "smaller" or "larger" where the whole interval is more than 1 % away from 1, else "no difference".
    """

    quantity: str
    ratio: float
    low: float
    high: float
    rounds: int
    verdict: str


@dataclass(frozen=True, kw_only=True)
class BenchRecord:
    """Two models timed on this machine in interleaved rounds.

    Attributes:
        reference: the model to compare with, mostly the dense one.
        candidate: the other.
        ratios: what can be decided, quantity by quantity.
        sparse: whether and why sparse kernels engage here or not, a sentence each.
        notes: what could not be measured, and why.
        kernel_set: the kernels that ran.
        threads: of the runtime.
        processor: of this machine.
        runtime: its name and version.
    """

    reference: TimedModelRecord
    candidate: TimedModelRecord
    ratios: tuple[RatioRecord, ...]
    sparse: tuple[str, ...]
    notes: tuple[str, ...]
    kernel_set: str
    threads: int
    processor: str
    runtime: str
