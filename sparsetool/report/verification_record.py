"""What comparing any two models found: the certificate is this record as JSON."""

from dataclasses import dataclass

from sparsetool.report.bisect_record import BisectRecord
from sparsetool.report.records import GateRecord, MetricRecord, OutputRecord


@dataclass(frozen=True, kw_only=True)
class ModelIdentity:
    """Which model it was.

    Attributes:
        name: the file's name, without its folder.
        file_sha256: of the file as given, packed or not.
        model_sha256: of the .tflite in it, or that it converts to; this is what was compared.
        disk_bytes: that .tflite.
    """

    name: str
    file_sha256: str
    model_sha256: str
    disk_bytes: int


@dataclass(frozen=True, kw_only=True)
class DataIdentity:
    """Which samples it was.

    Attributes:
        name: what they came from, without its folder; "random" for made-up ones.
        sha256: of their names, types, shapes and values; for made-up ones of the seed.
        samples: how many.
    """

    name: str
    sha256: str
    samples: int


@dataclass(frozen=True, kw_only=True)
class WeightRecord:
    """One constant of the reference beside the candidate's of the same name, both decoded.

    Attributes:
        name: its name.
        op: an operator that uses it as a weight; empty for other constants.
        shape: its shape in the reference.
        type_before: its element type in the reference.
        type_after: its element type in the candidate; empty where the candidate has none of this name.
        relation: "identical", "rounded" (each value the nearest that the candidate's type holds), "changed",
            "restructured" (another shape) or "missing".
        weights: how many elements it has.
        differing: elements that are not equal, after dequantization.
        max_abs_error: largest difference of real values; None where shapes differ.
        sqnr_db: signal to noise; None where there is no noise, or shapes differ.
        max_steps: largest difference in steps of the candidate's scale; None where it has none.
        zeros: zeros in the reference.
        zeros_kept: how many of these are zero in the candidate.
        stored_before: how the reference stores it: "dense", or its block.
        stored: how the candidate stores it, likewise; empty where it has none.
        bytes_before: what it takes in the reference, index vectors included.
        bytes_after: the same in the candidate.
        block_size: largest block of the reference, outputs by inputs, all of whose zeros come in whole blocks;
            empty where they do not, or there are none.
        blocks_kept: whether every such block of zeros is one in the candidate; None where there are none.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    type_before: str
    type_after: str
    relation: str
    weights: int
    differing: int
    max_abs_error: float | None
    sqnr_db: float | None
    max_steps: float | None
    zeros: int
    zeros_kept: int
    stored_before: str
    stored: str
    bytes_before: int
    bytes_after: int
    block_size: tuple[int, ...]
    blocks_kept: bool | None


@dataclass(frozen=True, kw_only=True)
class RunEndRecord:
    """How one model's run on one kernel set ended.

    Attributes:
        model: "reference" or "candidate".
        kernel_set: the kernels that ran.
        signature: the signature that was called; empty where the model was run as a whole.
        ended: "finished", "failed", "crashed" or "timed out".
        problem: why, if it did not finish.
    """

    model: str
    kernel_set: str
    signature: str
    ended: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class VerificationFinding:
    """One way in which the candidate is not what it should be.

    Attributes:
        kind: "structure", "graph", "weight", "quantization", "target", "run", "output" or "gate".
        where: the tensor, output or operator; empty where none can be named.
        problem: what was expected and what was seen.
        exit_code: what the command line returns for it alone.
    """

    kind: str
    where: str
    problem: str
    exit_code: int

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.problem}" if self.where else f"{self.kind}: {self.problem}"


@dataclass(frozen=True, kw_only=True)
class VerificationRecord:
    """Two models, compared without and with the runtime.

    Attributes:
        reference: the model that is trusted.
        candidate: the model that is checked.
        target: the runtime that it was checked for.
        data: what both were run on.
        versions: of sparsetool and of the runtime.
        processor: the machine's kind, since kernels differ by it.
        settings: what was asked for, by the option's name; what a repetition needs.
        weights: every constant of the reference.
        runs: how each run ended.
        outputs: every output on every kernel set that ran both.
        metric: the task metric of the reference and of the candidate; empty if none was asked for.
        gates: the limits that were asked for, and what was measured against them.
        findings: what is wrong, the gravest first; empty if the candidate passes.
        notes: what could not be compared, and why.
        bisected: where the candidate begins to differ; None if that was not asked for or nothing differs.
        verdict: "pass" or "fail".
        exit_code: 0, or that of the gravest finding.
    """

    reference: ModelIdentity
    candidate: ModelIdentity
    target: str
    data: DataIdentity
    versions: dict[str, str | None]
    processor: str
    settings: dict[str, bool | int | float | str | None]
    weights: tuple[WeightRecord, ...]
    runs: tuple[RunEndRecord, ...]
    outputs: tuple[OutputRecord, ...]
    metric: tuple[MetricRecord, ...]
    gates: tuple[GateRecord, ...]
    findings: tuple[VerificationFinding, ...]
    notes: tuple[str, ...]
    bisected: BisectRecord | None
    verdict: str
    exit_code: int
