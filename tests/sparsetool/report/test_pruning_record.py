"""Records read back as they were written, and what is damaged is refused in one line."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sparsetool.report.pruning_record import PruningRecord, corner_of, read_record, record_files
from sparsetool_converters.errors import ModelFormatError


@pytest.fixture
def written(pruning_record, tmp_path):
    for name, content in record_files(pruning_record).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def refusal(folder):
    with pytest.raises(ModelFormatError) as caught:
        read_record(folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def edit(folder, **changes):
    path = folder / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_record_reads_back_as_it_was_written(pruning_record, written):
    read = read_record(written)
    assert read.numbers == pruning_record.numbers
    for found, wrote in zip(read.corners, pruning_record.corners, strict=True):
        np.testing.assert_array_equal(found.weights, wrote.weights)
        np.testing.assert_array_equal(found.masks, wrote.masks)
        assert found.examples.keys() == wrote.examples.keys()
        for name, mask in wrote.examples.items():
            np.testing.assert_array_equal(found.examples[name], mask)


def test_the_same_record_gives_the_same_bytes(pruning_record):
    assert record_files(pruning_record) == record_files(pruning_record)


def test_masks_take_a_bit_for_each_weight(pruning_record, written):
    with np.load(written / "record.npz") as arrays:
        frames, rows, columns = pruning_record.corners[0].masks.shape
        assert arrays["masks/0"].nbytes == frames * rows * -(-columns // 8)


def test_a_record_before_the_first_refresh_reads_back(pruning_record, tmp_path):
    numbers = replace(pruning_record.numbers, refreshes=(), mask_steps=(), metrics=())
    corners = tuple(replace(corner, masks=corner.masks[:0]) for corner in pruning_record.corners)
    for name, content in record_files(PruningRecord(numbers=numbers, corners=corners)).items():
        (tmp_path / name).write_bytes(content)
    assert read_record(tmp_path).corners[0].masks.shape[0] == 0


def test_a_corner_has_the_first_outputs_and_the_first_inputs_of_each():
    tensor = np.arange(300 * 2 * 200).reshape(300, 2, 200)
    np.testing.assert_array_equal(corner_of(tensor), tensor.reshape(300, 400)[:256, :256])


@pytest.mark.parametrize("file", ["record.json", "record.npz"])
def test_a_missing_file_is_refused_with_what_makes_it(written, file):
    (written / file).unlink()
    assert f"{file}: cannot be read: No such file" in refusal(written)
    assert "make a record with sparsetool prune RECIPE --record DIR" in refusal(written)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert "cannot be read: No such file" in refusal(tmp_path / "nowhere")


def test_a_record_of_another_version_is_refused(written):
    edit(written, schema_version=2)
    assert "is a pruning record of version 2; this sparsetool reads version 1" in refusal(written)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "plan"}', "\x00"])
def test_what_is_no_record_is_refused(written, text):
    (written / "record.json").write_text(text)
    assert "record.json: is " in refusal(written)


def test_arrays_of_another_record_are_refused(written):
    content = bytearray((written / "record.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (written / "record.npz").write_bytes(content)
    assert "are not of one record, or one is damaged; record anew" in refusal(written)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"steps": "many"}, "is damaged: steps: "),
        ({"refreshes": [{"step": 1}]}, "is damaged: refreshes.0."),
        ({"mask_steps": [1, 2, 3, 4, 5, 6, 7]}, "does not hold what record.json tells of: masks/0 has the shape"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(written, changes, problem):
    edit(written, **changes)
    assert problem in refusal(written)
