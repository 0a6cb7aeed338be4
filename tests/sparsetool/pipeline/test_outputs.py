"""Destinations: checked before the work, and written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from sparsetool.pipeline.outputs import check_destination, staged, write
from sparsetool_converters.errors import OutputError


@pytest.fixture
def umask_022():
    before = os.umask(0o022)
    yield
    os.umask(before)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_has_the_content_and_usual_permissions(tmp_path, umask_022):
    path = tmp_path / "model.tflite"
    with staged(path) as temporary:
        assert temporary.parent == path.parent
        assert not path.exists()
        temporary.write_bytes(b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert files(tmp_path) == ["model.tflite"]


def test_an_existing_file_is_replaced_in_one_step(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"old")
    with staged(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, b"old"])
def test_whatever_interrupts_leaves_the_folder_as_it_was(tmp_path, problem, before):
    path = tmp_path / "model.tflite"
    if before is not None:
        path.write_bytes(before)

    def interrupted():
        with staged(path) as temporary:
            temporary.write_bytes(b"half")
            raise problem

    with pytest.raises(problem):
        interrupted()
    assert files(tmp_path) == ([] if before is None else ["model.tflite"])
    assert before is None or path.read_bytes() == before


def test_a_full_disk_is_an_output_error_and_leaves_nothing(tmp_path):
    path = tmp_path / "model.tflite"
    with (
        pytest.raises(OutputError, match="cannot be written: No space left on device"),
        staged(path),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"new")
    assert files(tmp_path) == []


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    path, other = tmp_path / "model.tflite", tmp_path / "other.tflite"
    other.write_bytes(b"other")
    path.symlink_to(other)
    with staged(path) as temporary:
        temporary.write_bytes(b"new")
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"other")


def test_a_destination_that_can_be_written_passes_and_nothing_is_left(tmp_path):
    check_destination(tmp_path / "model.tflite", force=False)
    assert files(tmp_path) == []


def test_an_existing_destination_needs_force(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already; use --force to replace it"):
        check_destination(path, force=False)
    check_destination(path, force=True)
    assert path.read_bytes() == b"old"


UNWRITABLE = [
    ("missing/model.tflite", "the folder .*missing does not exist"),
    ("a_file/model.tflite", "the folder .*a_file does not exist"),
    ("folder", "is a folder; name a file"),
    ("/proc/model.tflite", "cannot be written: "),
    ("/sys/model.tflite", "cannot be written: "),
    ("n" * 300, "cannot be written: File name too long"),
]


@pytest.mark.parametrize(("name", "problem"), UNWRITABLE)
@pytest.mark.parametrize("force", [False, True])
def test_a_destination_that_cannot_be_written_is_refused_before_the_work(tmp_path, name, problem, force):
    (tmp_path / "a_file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=problem) as caught:
        check_destination(tmp_path / name, force=force)
    assert caught.value.path == str(tmp_path / name)
    assert files(tmp_path) == ["a_file", "folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path):
    folder = tmp_path / "read_only"
    folder.mkdir(mode=0o555)
    with pytest.raises(OutputError, match="cannot be written: Permission denied"):
        check_destination(folder / "model.tflite", force=False)


@pytest.mark.parametrize("name", ["missing/model.tflite", "/proc/model.tflite"])
def test_staging_where_nothing_can_be_written_is_an_output_error(tmp_path, name):
    with pytest.raises(OutputError, match="cannot be written"), staged(tmp_path / name):
        pass


def test_a_file_with_the_same_content_is_left_alone(tmp_path):
    path = tmp_path / "small.tflite"
    path.write_bytes(b"the same")
    before = path.stat()
    write(path, b"the same")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    write(path, b"another!")
    assert path.read_bytes() == b"another!"
    assert [entry.name for entry in tmp_path.iterdir()] == ["small.tflite"]
