"""A record whose figures are all different, so that each can be found again."""

import numpy as np
import pytest

from sparsetool.report.pruning_record import Corner, Metrics, Numbers, PruningRecord, RecordedVariable, Refresh
from sparsetool.report.records import (
    AccuracyRecord,
    ArtifactRecord,
    OutputRecord,
    SizeLimitRecord,
    Sizes,
    StageRecord,
    TensorRecord,
)
from sparsetool.report.size_records import FailureRecord, SizedRecord, SizesRecord


@pytest.fixture
def gated():
    """One artifact that grew too much, one that is new, one without limits, one that is gone, and one that failed."""
    grown = SizedRecord(
        name="grown",
        sizes=Sizes(disk=1_000, gzip=700, zstd=650, wire=500),
        baseline=Sizes(disk=800, gzip=1, zstd=640, wire=510),
        limits=(
            SizeLimitRecord(size="disk", rule="budget", actual_bytes=1_000, limit_bytes=1_200, kept=True),
            SizeLimitRecord(size="zstd", rule="budget", actual_bytes=650, limit_bytes=650, kept=True),
            SizeLimitRecord(size="ram", rule="budget", actual_bytes=5_000, limit_bytes=4_096, kept=False),
            SizeLimitRecord(
                size="disk", rule="regression", actual_bytes=1_000, limit_bytes=880, baseline_bytes=800, kept=False
            ),
            SizeLimitRecord(
                size="wire", rule="regression", actual_bytes=500, limit_bytes=561, baseline_bytes=510, kept=True
            ),
        ),
    )
    fresh = SizedRecord(
        name="fresh",
        sizes=Sizes(disk=90, gzip=80, zstd=70, wire=60),
        limits=(SizeLimitRecord(size="disk", rule="budget", actual_bytes=90, limit_bytes=90, kept=True),),
    )
    free = SizedRecord(
        name="free", sizes=Sizes(disk=9, gzip=8, zstd=7, wire=6), baseline=Sizes(disk=9, gzip=8, zstd=7, wire=0)
    )
    return SizesRecord(
        artifacts=(grown, fresh, free),
        gone=("old",),
        failures=(FailureRecord(name="bad.tflite", error="ModelFormatError", exit_code=5, message="no flatbuffer"),),
    )


@pytest.fixture
def artifact():
    return ArtifactRecord(
        name="small",
        sizes=Sizes(disk=1_234_567, gzip=234_567, zstd=134_567, wire=134_568),
        stages=(StageRecord(name="encode", disk_bytes=1_234_567, changes=("w: csr",)),),
        tensors=(
            TensorRecord(
                name="net:key:kernel[0]",
                op="FULLY_CONNECTED",
                shape=(10, 1024),
                type="FLOAT32",
                sparsity=0.876,
                dense_bytes=40_960,
                stored_bytes=7_654,
                encoded=True,
                reason="csr, native: 7,654 of 40,960 bytes",
            ),
        ),
        outputs=(
            output("encode", "default", identical=True),
            output("encode", "no-delegates", relative_error=2.5e-7, sqnr_db=131.0),
            output("quantize", "default", relative_error=0.0121, sqnr_db=38.2, samples=17),
        ),
        skipped=("reference: failed at load: one", "no-delegates: failed at load: two"),
        accuracy=AccuracyRecord(correct=9_876, samples=10_000, low=0.985, high=0.9896),
    )


def output(stage, kernel_set, *, identical=False, relative_error=0.0, sqnr_db=None, samples=8):
    return OutputRecord(
        stage=stage,
        kernel_set=kernel_set,
        output="y",
        samples=samples,
        identical=identical,
        max_abs_error=relative_error,
        relative_error=relative_error,
        sqnr_db=sqnr_db,
    )


@pytest.fixture
def pruning_record():
    """Two layers of a run of 40 steps in 2 epochs, pruned to half at steps 0, 10 and 20."""
    rng = np.random.default_rng(5)
    shares, steps = (0.0, 0.375, 0.5), (0, 10, 20)
    variables = (("hidden/kernel", (50, 70)), ("logits/kernel", (3, 5)))
    weights = [rng.normal(size=shape).astype(np.float32) for _, shape in variables]
    masks = [np.stack([lowest_pruned(array, share) for share in shares]) for array in weights]
    return PruningRecord(
        numbers=Numbers(
            model="net",
            schedule="PolynomialDecay(...)",
            steps=40,
            steps_per_epoch=20,
            variables=tuple(
                RecordedVariable(variable=name, shape=shape, weights=array.size, target_zeros=int((~mask[-1]).sum()))
                for (name, shape), array, mask in zip(variables, weights, masks, strict=True)
            ),
            refreshes=tuple(
                Refresh(step=step, asked=share, zeros=tuple(int((~mask[i]).sum()) for mask in masks))
                for i, (step, share) in enumerate(zip(steps, shares, strict=True))
            ),
            metrics=tuple(Metrics(step=step, values={"loss": 1 / step, "accuracy": None}) for step in (1, 20, 40)),
            mask_steps=steps,
            examples=("1x1", "1x2"),
        ),
        corners=(
            Corner(weights=weights[0], masks=masks[0], examples={"1x1": masks[0][2], "1x2": masks[0][1]}),
            Corner(weights=weights[1], masks=masks[1], examples={"1x1": masks[1][2]}),
        ),
    )


def lowest_pruned(weights, share):
    order = np.abs(weights).ravel().argsort()
    kept = np.ones(weights.size, np.bool_)
    kept[order[: round(share * weights.size)]] = False
    return kept.reshape(weights.shape)
