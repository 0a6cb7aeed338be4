"""Results with the key of what made them: nothing is made twice, nothing stale is reused."""

import json

import pytest

from sparsetool.pipeline.run_folder import STEPS, RunFolder
from sparsetool_converters.errors import OutputError


class Maker:
    """A step that writes its words into files and counts how often it had to."""

    def __init__(self, folder, listener, **words):
        self.folder, self.words, self.calls = RunFolder(folder, listener), words, 0

    def run(self, name="make", inputs=None, *, problem=None):
        def make(destination):
            self.calls += 1
            for file, word in self.words.items():
                (destination / file).write_text(word)
                if problem is not None:
                    raise problem
            return {"words": sorted(self.words.values()), "made": self.calls}

        return self.folder.step(name, {"a": 1} if inputs is None else inputs, tuple(self.words), make)


@pytest.fixture
def maker(tmp_path, heard):
    return Maker(tmp_path, heard, one="eins", two="zwei")


def test_an_unchanged_step_is_reused_and_says_so(maker, tmp_path, heard):
    first = maker.run()
    times = {file: (tmp_path / file).stat().st_mtime_ns for file in maker.words}
    assert heard.notes == ["make ..."]
    assert maker.run() == first == {"words": ["eins", "zwei"], "made": 1}
    assert heard.notes == ["make ...", "make: unchanged, reused"]
    assert maker.calls == 1
    assert times == {file: (tmp_path / file).stat().st_mtime_ns for file in maker.words}


def test_another_process_reuses_it_as_well(maker, tmp_path, heard):
    maker.run()
    later = Maker(tmp_path, heard, one="eins", two="zwei")
    assert later.run()["made"] == 1
    assert later.calls == 0


def test_a_step_that_made_more_files_than_are_asked_for_is_reused_and_not_the_other_way_round(tmp_path, heard):
    few, many = Maker(tmp_path, heard, one="eins"), Maker(tmp_path, heard, one="eins", two="zwei")
    few.run()
    many.run()
    few.run()
    many.run()
    assert (few.calls, many.calls) == (1, 1)
    (tmp_path / "two").write_text("damaged")
    few.run()
    many.run()
    assert (few.calls, many.calls) == (1, 2)


def test_the_order_of_inputs_means_nothing_and_their_values_everything(maker):
    maker.run(inputs={"a": 1, "b": [1, 2]})
    maker.run(inputs={"b": [1, 2], "a": 1})
    assert maker.calls == 1
    for count, inputs in enumerate(({"a": 2, "b": [1, 2]}, {"a": 2, "b": [2, 1]}, {"a": 2}), start=2):
        maker.run(inputs=inputs)
        assert maker.calls == count


def test_steps_are_kept_apart_by_name(tmp_path, heard):
    one, two = Maker(tmp_path, heard, one="eins"), Maker(tmp_path, heard, two="zwei")
    one.run("first")
    two.run("second")
    one.run("first")
    assert (one.calls, two.calls) == (1, 1)


@pytest.mark.parametrize("damage", ["altered", "deleted", "replaced by a folder"])
def test_a_step_whose_file_is_not_the_one_it_wrote_is_made_again(maker, tmp_path, damage):
    maker.run()
    (tmp_path / "two").unlink()
    if damage == "altered":
        (tmp_path / "two").write_text("drei")
    if damage == "replaced by a folder":
        (tmp_path / "two").mkdir()
        with pytest.raises(OutputError, match="cannot be written"):
            maker.run()
        (tmp_path / "two").rmdir()
    maker.run()
    assert (tmp_path / "two").read_text() == "zwei"


@pytest.mark.parametrize("problem", [ValueError("no"), KeyboardInterrupt()])
def test_an_interrupted_step_leaves_nothing_and_the_next_run_makes_it(maker, tmp_path, problem):
    with pytest.raises(type(problem)):
        maker.run(problem=problem)
    assert list(tmp_path.iterdir()) == []
    maker.run()
    assert (tmp_path / "one").read_text() == "eins"
    assert maker.run()["made"] == 2


def test_an_interrupted_step_leaves_the_results_of_the_run_before(maker, tmp_path):
    maker.run()
    with pytest.raises(KeyboardInterrupt):
        maker.run(inputs={"a": 2}, problem=KeyboardInterrupt())
    assert maker.run()["made"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", STEPS, "two"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"3",
        b'"make"',
        b"\xff\xfe",
        b'{"make": null}',
        b'{"make": []}',
        b'{"make": {}}',
        b'{"make": {"key": 1, "files": 2, "record": {}}}',
        b'{"make": {"key": "x"}}',
    ],
)
def test_a_damaged_memory_means_that_everything_is_made_again(maker, tmp_path, content):
    maker.run()
    (tmp_path / STEPS).write_bytes(content)
    assert maker.run()["made"] == 2
    assert maker.run()["made"] == 2


def test_a_record_that_is_no_table_is_not_reused(maker, tmp_path):
    maker.run()
    steps = json.loads((tmp_path / STEPS).read_text())
    steps["make"]["record"] = 3
    (tmp_path / STEPS).write_text(json.dumps(steps))
    assert maker.run()["made"] == 2


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path, heard):
    for folder in (tmp_path / "missing", "/proc"):
        with pytest.raises(OutputError, match="cannot be written"):
            Maker(type(tmp_path)(folder), heard, one="eins").run()
