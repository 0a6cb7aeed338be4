"""Where pictures of a record go, and what stays as it was."""

import numpy as np
import pytest

from sparsetool.pipeline.drawing import draw_record
from sparsetool.report.pruning_record import (
    Corner,
    Metrics,
    Numbers,
    PruningRecord,
    RecordedVariable,
    Refresh,
    record_files,
)
from sparsetool_converters.errors import ModelFormatError, OutputError, UsageError

pytest.importorskip("matplotlib")

PICTURES = ["ramp-up.svg", "layers.svg", "mask-hidden-kernel.png", "pruning-hidden-kernel.gif"]
REFRESHES = (Refresh(step=4, asked=0.5, zeros=(6,)),)


def write_record(folder, loss=1.0, refreshes=REFRESHES):
    weights = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    kept = np.abs(weights) > 0.5
    variable = RecordedVariable(variable="hidden/kernel", shape=(3, 4), weights=12, target_zeros=6)
    numbers = Numbers(
        model="net",
        schedule="ConstantSparsity(...)",
        steps=10,
        steps_per_epoch=5,
        variables=(variable,),
        refreshes=refreshes,
        metrics=(Metrics(step=1, values={"loss": loss}),),
        mask_steps=(4,),
        examples=("1x1",),
    )
    record = PruningRecord(
        numbers=numbers, corners=(Corner(weights=weights, masks=kept[None], examples={"1x1": kept}),)
    )
    folder.mkdir(exist_ok=True)
    for name, content in record_files(record).items():
        (folder / name).write_bytes(content)


@pytest.fixture
def record(tmp_path):
    write_record(tmp_path / "record")
    return tmp_path / "record"


def test_pictures_lie_beside_the_record_where_no_folder_is_named(record):
    drawn = draw_record(record)
    assert drawn == tuple(record / name for name in PICTURES)
    assert sorted(path.name for path in record.iterdir()) == sorted([*PICTURES, "record.json", "record.npz"])


def test_the_folder_for_pictures_is_made(record, tmp_path):
    drawn = draw_record(record, tmp_path / "some" / "where")
    assert [path.read_bytes()[:4] for path in drawn] == [b"<?xm", b"<?xm", b"\x89PNG", b"GIF8"]


def test_drawing_the_same_record_again_touches_nothing(record):
    before = {path: path.stat().st_mtime_ns for path in draw_record(record)}
    assert {path: path.stat().st_mtime_ns for path in draw_record(record)} == before


def test_pictures_of_another_record_are_only_replaced_by_force(record, tmp_path):
    before = {path: path.read_bytes() for path in draw_record(record, tmp_path / "pictures")}
    write_record(tmp_path / "other", loss=2.0)
    with pytest.raises(OutputError, match=r"ramp-up\.svg: exists already; use --force to replace it"):
        draw_record(tmp_path / "other", tmp_path / "pictures")
    assert {path: path.read_bytes() for path in before} == before
    draw_record(tmp_path / "other", tmp_path / "pictures", force=True)
    assert {path: path.read_bytes() for path in before} != before


def test_nothing_is_drawn_of_a_damaged_record(record):
    (record / "record.npz").write_bytes(b"damaged")
    with pytest.raises(ModelFormatError, match="are not of one record, or one is damaged"):
        draw_record(record)
    assert sorted(path.name for path in record.iterdir()) == ["record.json", "record.npz"]


def test_a_record_in_which_nothing_was_pruned_is_refused(tmp_path):
    write_record(tmp_path / "record", refreshes=())
    with pytest.raises(ModelFormatError, match="tells of no refresh of masks"):
        draw_record(tmp_path / "record")


def test_a_tensor_that_is_not_there_is_refused_before_anything_is_drawn(record):
    with pytest.raises(UsageError, match="did you mean 'hidden/kernel'"):
        draw_record(record, tensor="hiden/kernel")
    assert sorted(path.name for path in record.iterdir()) == ["record.json", "record.npz"]


def test_a_folder_that_cannot_be_made_is_refused(record, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        draw_record(record, tmp_path / "file")
