"""Records are the one source of every number, and survive the way through JSON."""

import gzip
import json

import pytest
from pydantic import TypeAdapter

from sparsetool.report.records import (
    SCHEMA_VERSION,
    AccuracyRecord,
    ArtifactRecord,
    LayerRecord,
    RunRecord,
    Sizes,
    TrainingRecord,
    as_json,
)
from sparsetool_converters.codec import compress


@pytest.mark.parametrize("kind", [ArtifactRecord, RunRecord])
def test_a_record_is_the_same_after_json(kind, artifact):
    record = (
        artifact
        if kind is ArtifactRecord
        else RunRecord(
            recipe="toy",
            training=TrainingRecord(
                dense_accuracy=0.75,
                pruned_accuracy=0.875,
                checkpoint_bytes=77,
                layers=(LayerRecord(variable="v", weights=10, zeros=9, target_zeros=9),),
            ),
            artifacts=(artifact,),
        )
    )
    document = json.loads(json.dumps(as_json("run", record), allow_nan=False))
    assert (document.pop("schema_version"), document.pop("kind")) == (SCHEMA_VERSION, "run")
    assert TypeAdapter(kind).validate_python(document) == record


def test_sizes_are_measured_on_the_bytes():
    model, packed = bytes(1000), b"packed"
    sizes = Sizes.of(model, packed)
    assert (sizes.disk, sizes.zstd, sizes.wire) == (1000, len(compress(model)), 6)
    assert sizes.gzip == len(gzip.compress(model, 9))


def test_accuracy_in_percent():
    assert AccuracyRecord(correct=187, samples=200, low=0.9, high=1.0).percent == 93.5
