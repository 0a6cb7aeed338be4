"""What a run measured: the one source of every number in every report."""

import gzip
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sparsetool.report.target_records import FindingRecord
from sparsetool_converters.codec import compress

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """One model's sizes, in bytes.

    Attributes:
        disk: the .tflite that the runtime maps.
        gzip: the .tflite after gzip -9.
        zstd: the .tflite after zstd -19.
        wire: the packed file that travels.
    """

    disk: int
    gzip: int
    zstd: int
    wire: int

    @classmethod
    def of(cls, model: bytes, packed: bytes) -> "Sizes":
        """Measure a model and its packed form."""
        return cls(
            disk=len(model),
            gzip=len(gzip.compress(model, 9, mtime=0)),
            zstd=len(compress(model)),
            wire=len(packed),
        )


@dataclass(frozen=True, kw_only=True)
class AccuracyRecord:
    """Accuracy on a test set, on the default kernels, or on the micro runtime where the model is stored for it.

    Attributes:
        correct: samples classified right.
        samples: all of them.
        low: lower end of the 95 % Wilson interval, as a share.
        high: upper end of it.
    """

    correct: int
    samples: int
    low: float
    high: float

    @property
    def percent(self) -> float:
        return 100.0 * self.correct / self.samples


@dataclass(frozen=True, kw_only=True)
class MetricRecord:
    """A task metric of the user's own, measured on a test set as accuracy is.

    Attributes:
        name: the function's name.
        value: what it returned; the larger, the better.
        samples: how many samples it was computed over.
    """

    name: str
    value: float
    samples: int


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """One stage of one artifact.

    Attributes:
        name: the stage.
        disk_bytes: the .tflite after it.
        changes: what it did, a line each.
        sizes: all sizes after it, where a whole run is recorded.
        accuracy: on the test set after it, where there is one.
        metric: the user's own metric there, where there is one.
    """

    name: str
    disk_bytes: int
    changes: tuple[str, ...]
    sizes: Sizes | None = None
    accuracy: AccuracyRecord | None = None
    metric: MetricRecord | None = None


@dataclass(frozen=True, kw_only=True)
class TensorRecord:
    """How one constant is stored.

    Attributes:
        name: its name in the model.
        op: the operator whose weight it is, empty if none.
        shape: its dense shape.
        type: its element type.
        sparsity: share of zeros.
        dense_bytes: its dense payload.
        stored_bytes: what it takes as stored, index vectors included.
        encoded: whether it is stored block-sparse.
        reason: why it is stored so, with numbers.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    type: str
    sparsity: float
    dense_bytes: int
    stored_bytes: int
    encoded: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class QuantizedRecord:
    """What quantization made of one weight.

    Attributes:
        name: its name in the model.
        type_before: its element type before.
        type_after: its element type after.
        weights: how many elements it has.
        zeros_before: how many were zero.
        zeros_after: how many are.
    """

    name: str
    type_before: str
    type_after: str
    weights: int
    zeros_before: int
    zeros_after: int


@dataclass(frozen=True, kw_only=True)
class OutputRecord:
    """One output of one stage compared with the stage before, on one kernel set.

    Attributes:
        stage: the stage that was verified.
        kernel_set: the kernels that ran both.
        signature: the signature that was called; empty where the model was run as a whole.
        output: the output's name.
        samples: how many samples were run.
        identical: whether every stored value was equal.
        max_abs_error: largest difference of real values; None where it is infinite.
        relative_error: that, as a share of the reference's largest value; likewise.
        sqnr_db: signal to noise ratio, None where there is no noise, or nothing else.
        cosine: cosine of the angle between all real values of both; None where either is all zeros.
        kl_divergence: mean Kullback-Leibler divergence of the candidate from the reference in nats, over the last axis;
            None for outputs without classes.
        top1: whose largest element is at the same place, None for outputs without classes.
        top5: whose largest element is among the candidate's five largest, None for outputs of fewer than 6 classes.
        nan: NaN in the candidate where the reference has none, and the other way round.
        infinite: infinities in the candidate where the reference has none, and the other way round.
    """

    stage: str
    kernel_set: str
    signature: str = ""
    output: str
    samples: int
    identical: bool
    max_abs_error: float | None
    relative_error: float | None
    sqnr_db: float | None
    cosine: float | None = None
    kl_divergence: float | None = None
    top1: "AgreementRecord | None" = None
    top5: "AgreementRecord | None" = None
    nan: int = 0
    infinite: int = 0


@dataclass(frozen=True, kw_only=True)
class AgreementRecord:
    """How often two classifiers agree.

    Attributes:
        agreeing: decisions that agree.
        samples: all decisions.
        low: lower end of the 95 % Wilson interval of the share.
        high: upper end of it.
    """

    agreeing: int
    samples: int
    low: float
    high: float

    @property
    def percent(self) -> float:
        return 100.0 * self.agreeing / self.samples


@dataclass(frozen=True, kw_only=True)
class GateRecord:
    """One limit that an artifact had to keep.

    Attributes:
        metric: what was limited, by the recipe's own key, such as "min_sqnr_db".
        limit: the limit.
        value: what was measured, the worst of all outputs and kernel sets.
        where: the output and kernel set of that value; empty for task metrics.
        kept: whether the limit was kept.
    """

    metric: str
    limit: float
    value: float | None
    where: str
    kept: bool


@dataclass(frozen=True, kw_only=True)
class SizeLimitRecord:
    """One limit on one size of an artifact.

    Attributes:
        size: which size: "disk", "gzip", "zstd", "wire" or "ram".
        rule: "budget" for a limit as such, "regression" for growth over the baseline.
        actual_bytes: what it takes.
        limit_bytes: what it may take.
        baseline_bytes: what it took, for a regression.
        kept: whether the limit is kept.
    """

    size: str
    rule: Literal["budget", "regression"]
    actual_bytes: int
    limit_bytes: int
    baseline_bytes: int | None = None
    kept: bool


@dataclass(frozen=True, kw_only=True)
class KeptRecord:
    """A weight that broke a gate and was therefore left as it was.

    Attributes:
        tensor: its name.
        stage: the stage that would have changed it.
        reason: which gate it broke, with numbers.
    """

    tensor: str
    stage: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ArtifactRecord:
    """One file that was made, and the proof that it is right.

    Attributes:
        name: the artifact.
        sizes: its sizes in bytes.
        stages: how it was made.
        tensors: how its constants are stored.
        outputs: what verification measured.
        skipped: kernel sets that could not be compared, with the reason.
        accuracy: on the test set, where there is one.
        metric: the user's own metric there, where there is one.
        quantized: weights that quantization changed, with their zeros before and after.
        findings: what the lint says of the result.
        gates: the limits that the recipe sets, and what was measured against them.
        kept: weights that broke a gate and were left dense or unquantized.
        baseline: what it took, where a baseline knows it.
        limits: the limits on its sizes, and what was measured against them.
    """

    name: str
    sizes: Sizes
    stages: tuple[StageRecord, ...]
    tensors: tuple[TensorRecord, ...]
    outputs: tuple[OutputRecord, ...]
    skipped: tuple[str, ...]
    accuracy: AccuracyRecord | None = None
    metric: MetricRecord | None = None
    quantized: tuple[QuantizedRecord, ...] = ()
    findings: tuple[FindingRecord, ...] = ()
    gates: tuple[GateRecord, ...] = ()
    kept: tuple[KeptRecord, ...] = ()
    baseline: Sizes | None = None
    limits: tuple[SizeLimitRecord, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LayerRecord:
    """Sparsity of one pruned variable after training.

    Attributes:
        variable: its path in the Keras model.
        weights: how many weights it has.
        zeros: how many are zero.
        target_zeros: how many were asked for.
    """

    variable: str
    weights: int
    zeros: int
    target_zeros: int


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """The dense and the pruning phase.

    Attributes:
        dense_accuracy: share of validation samples that the dense model gets right.
        pruned_accuracy: the same of the pruned model.
        checkpoint_bytes: the sparse checkpoint on disk.
        layers: sparsity of each pruned variable.
    """

    dense_accuracy: float
    pruned_accuracy: float
    checkpoint_bytes: int
    layers: tuple[LayerRecord, ...]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A whole recipe, carried out, or one model converted.

    Attributes:
        recipe: the name that the recipe gives itself, or that of its file or of the model's.
        training: the phases that made the sparse checkpoint; None where nothing was trained.
        artifacts: every file that was made, in the recipe's order.
    """

    recipe: str
    training: TrainingRecord | None
    artifacts: tuple[ArtifactRecord, ...]


def as_json(kind: str, record: Any) -> dict[str, Any]:
    """The record as plain data, with the schema's version."""
    return {"schema_version": SCHEMA_VERSION, "kind": kind, **asdict(record)}
