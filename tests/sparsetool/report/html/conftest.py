"""Reports with training and without, every figure of which is another one."""

from dataclasses import replace

import numpy as np
import pytest
from figures_in_records import Unlike

from sparsetool.report.html import Curve, MaskPicture, Pictures
from sparsetool.report.measured_record import MeasuredArtifact
from sparsetool.report.plots.weights import weight_picture
from sparsetool.report.pruning_record import Numbers
from sparsetool.report.records import ArtifactRecord, RunRecord, StageRecord, TrainingRecord
from sparsetool.report.report_record import ReportRecord


def report_of(*, training):
    unlike = Unlike()
    artifacts = tuple(artifact_of(unlike, name) for name in ("dense", "small"))
    measured = unlike.make(MeasuredArtifact, "measured", artifact="small")
    ratios = tuple(replace(ratio, quantity="steady_ms") for ratio in measured.bench.ratios)
    measured = replace(measured, bench=replace(measured.bench, ratios=ratios))
    return ReportRecord(
        run=RunRecord(
            recipe="toy",
            training=unlike.make(TrainingRecord, "training") if training else None,
            artifacts=artifacts,
        ),
        pruning=unlike.make(Numbers, "pruning") if training else None,
        measured=(measured,),
        missing=("something is missing",),
    )


def artifact_of(unlike, name):
    """One of two stages: the first one's .tflite is that of its sizes, the last one's sizes are the artifact's."""
    first, last = (unlike.make(StageRecord, f"{name}.{stage}") for stage in ("source", "encode"))
    first = replace(first, disk_bytes=first.sizes.disk)
    return unlike.make(ArtifactRecord, name, name=name, stages=(first, replace(last, sizes=None)))


@pytest.fixture(params=[True, False], ids=["with training", "without training"])
def report(request):
    return report_of(training=request.param)


@pytest.fixture
def pictures():
    png = weight_picture(np.eye(8))
    mask = MaskPicture(artifact="small", layer="small.tensors.name", shape=(8, 8), png=png, width=80, height=80)
    curve = Curve(title="a curve", svg=b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>')
    return Pictures(masks=(mask,), curves=(curve,), missing=())
