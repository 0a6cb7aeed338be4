"""Results with the key of what made them: nothing is made twice, nothing stale is reused."""

import json

import pytest

from sparsetool.pipeline.run_folder import IGNORED, LOCK, STEPS, RunFolder, opened
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


def test_a_folder_is_open_to_one_run_at_a_time(tmp_path, heard):
    refused = pytest.raises(OutputError, match=r"another run, process \d+, is at work there")
    with opened(tmp_path, heard), refused, opened(tmp_path, heard):
        pass
    with opened(tmp_path, heard) as folder:
        assert folder.path == tmp_path


def test_what_a_kill_left_half_made_is_removed_and_nothing_else(maker, tmp_path, heard):
    maker.run()
    (tmp_path / "train-dense-0123456789abcdef.state").write_text("state")
    (tmp_path / ".step-abc").mkdir()
    (tmp_path / ".step-abc" / "half").write_text("half")
    (tmp_path / ".steps.json.xyz").write_text("half")
    with opened(tmp_path, heard):
        pass
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted([IGNORED, LOCK, "one", STEPS, "train-dense-0123456789abcdef.state", "two"])


def test_a_folder_that_cannot_be_locked_is_an_output_error(tmp_path, heard):
    (tmp_path / LOCK).mkdir()
    with pytest.raises(OutputError, match="cannot be written"), opened(tmp_path, heard):
        pass


class Resumable:
    """A step that counts to three, remembers how far it came, and may be killed on the way."""

    def __init__(self, folder, listener):
        self.folder, self.began_at = RunFolder(folder, listener), []

    def run(self, inputs, *, killed_at=None):
        def make(destination, state):
            count = int(state.read_text()) if state.exists() else 0
            self.began_at.append(count)
            while count < 3:
                count += 1
                state.write_text(str(count))
                if count == killed_at:
                    raise KeyboardInterrupt
            (destination / "counted").write_text(str(count))
            return {}

        return self.folder.resumable_step("count up", inputs, ("counted",), make)


def test_a_step_goes_on_from_its_state_which_goes_when_it_is_done(tmp_path, heard):
    step = Resumable(tmp_path, heard)
    for killed_at in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            step.run({"a": 1}, killed_at=killed_at)
        assert len(list(tmp_path.glob("count-up-*.state"))) == 1
    step.run({"a": 1})
    assert step.began_at == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counted", STEPS]


def test_other_inputs_begin_anew_and_drop_the_state_of_those_before(tmp_path, heard):
    step = Resumable(tmp_path, heard)
    for a in (1, 2, 1):
        with pytest.raises(KeyboardInterrupt):
            step.run({"a": a}, killed_at=2)
        assert len(list(tmp_path.glob("count-up-*.state"))) == 1
    assert step.began_at == [0, 0, 0]
