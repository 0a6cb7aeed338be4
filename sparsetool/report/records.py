"""What a run measured: the one source of every number in every report."""

import gzip
from dataclasses import asdict, dataclass
from typing import Any

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
class StageRecord:
    """One stage of one artifact.

    Attributes:
        name: the stage.
        disk_bytes: the .tflite after it.
        changes: what it did, a line each.
    """

    name: str
    disk_bytes: int
    changes: tuple[str, ...]


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
        output: the output's name.
        samples: how many samples were run.
        identical: whether every stored value was equal.
        max_abs_error: largest difference of real values.
        relative_error: that, as a share of the reference's largest value.
        sqnr_db: signal to noise ratio, None where there is no noise.
        top1_agreement: share of samples with the same largest element, None for outputs without classes.
    """

    stage: str
    kernel_set: str
    output: str
    samples: int
    identical: bool
    max_abs_error: float
    relative_error: float
    sqnr_db: float | None
    top1_agreement: float | None


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
        quantized: weights that quantization changed, with their zeros before and after.
    """

    name: str
    sizes: Sizes
    stages: tuple[StageRecord, ...]
    tensors: tuple[TensorRecord, ...]
    outputs: tuple[OutputRecord, ...]
    skipped: tuple[str, ...]
    accuracy: AccuracyRecord | None = None
    quantized: tuple[QuantizedRecord, ...] = ()


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
    """A whole recipe, carried out.

    Attributes:
        recipe: name of the recipe's folder.
        training: the phases that made the sparse checkpoint.
        artifacts: every file that was made, in the recipe's order.
    """

    recipe: str
    training: TrainingRecord
    artifacts: tuple[ArtifactRecord, ...]


def as_json(kind: str, record: Any) -> dict[str, Any]:
    """The record as plain data, with the schema's version."""
    return {"schema_version": SCHEMA_VERSION, "kind": kind, **asdict(record)}
