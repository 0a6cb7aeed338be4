"""The ledger: what each stage saved, from the dense model on."""

from dataclasses import replace

from hand_made_report import hand_made_report

from sparsetool.report.figures import saved as saved_figure
from sparsetool.report.html.waterfall import BARS, waterfall
from sparsetool.report.ledger import PRUNED, entries, steps
from sparsetool.report.records import Sizes, StageRecord


def artifact_of(record, name, disks):
    found = [Sizes(disk=d, gzip=d // 2, zstd=d // 3, wire=d // 4) for d in disks]
    stages = [StageRecord(name=f"stage {i}", disk_bytes=s.disk, changes=(), sizes=s) for i, s in enumerate(found)]
    return replace(record.run.artifacts[1], name=name, sizes=found[-1], stages=tuple(stages))


def run_of(dense, *artifacts, trained=True):
    record = hand_made_report(trained=trained)
    made = [
        artifact_of(record, "dense", dense),
        *(artifact_of(record, f"small {i}", d) for i, d in enumerate(artifacts)),
    ]
    return replace(record.run, artifacts=tuple(made))


def test_a_pruned_artifact_begins_with_the_dense_model():
    run = run_of([800], [600, 400, 440])
    found = entries(run, run.artifacts[1])
    assert [(e.stage, e.disk) for e in found] == [("dense", 800), (PRUNED, 600), ("stage 1", 400), ("stage 2", 440)]
    assert [(s.before, s.after) for s in steps(found, "disk")] == [
        (0, 800),
        (800, 600),
        (600, 400),
        (400, 440),
        (0, 440),
    ]
    assert [s.after for s in steps(found, "wire")] == [200, 150, 100, 110, 110]


def test_a_model_that_was_only_converted_begins_with_itself():
    run = run_of([800], [800, 400], trained=False)
    assert [e.stage for e in entries(run, run.artifacts[1])] == ["stage 0", "stage 1"]


def test_a_size_that_was_not_measured_after_each_stage_has_no_waterfall():
    run = run_of([800], [800, 600, 400])
    small = run.artifacts[1]
    small = replace(small, stages=tuple(replace(stage, sizes=None) for stage in small.stages))
    found = entries(run, small)
    assert steps(found, "wire") == ()
    assert [s.after for s in steps(found, "disk")] == [800, 600, 400, 400]


def test_bars_of_a_waterfall_hang_together_and_are_to_scale():
    run = run_of([800], [800, 400, 500])
    fall = waterfall("disk bytes", steps(entries(run, run.artifacts[1]), "disk"))
    whole, saved, grown, result = fall.bars
    assert (whole.width, saved.width, grown.width, result.width) == (BARS, BARS / 2, BARS / 8, BARS * 5 / 8)
    assert saved.x == whole.x + BARS / 2 == grown.x
    assert [bar.figure for bar in fall.bars] == ["800", saved_figure(800, 400), "+100", "500"]
    assert [str(bar.tone) for bar in fall.bars] == ["plain", "good", "bad", "plain"]
