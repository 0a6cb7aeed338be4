"""A record whose figures are all different, so that each can be found again."""

import pytest

from sparsetool.report.records import (
    AccuracyRecord,
    ArtifactRecord,
    OutputRecord,
    Sizes,
    StageRecord,
    TensorRecord,
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
        top1_agreement=None,
    )
