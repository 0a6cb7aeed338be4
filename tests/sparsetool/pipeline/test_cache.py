"""Results by the content of what they depend on: there as a whole or not at all."""

import threading

import pytest

from sparsetool.pipeline.cache import RECORD, Cache, content_key
from sparsetool_converters.errors import OutputError


class Maker:
    """Makes a result of two files, and counts how often."""

    def __init__(self):
        self.times = 0

    def __call__(self, folder):
        self.times += 1
        (folder / "one").write_bytes(b"eins")
        (folder / "two").write_bytes(b"zwei")
        return {"made": self.times}


FILES = ("one", "two")


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "deep" / "cache")


@pytest.fixture
def into(tmp_path):
    """Gives a new folder at each call."""

    def new():
        new.count += 1
        folder = tmp_path / f"into_{new.count}"
        folder.mkdir()
        return folder

    new.count = 0
    return new


def test_the_same_inputs_give_the_same_files_and_record_without_making_them(cache, into):
    make = Maker()
    first, second = into(), into()
    assert cache.made("kind", {"a": 1, "b": 2}, FILES, make, first) == {"made": 1}
    assert cache.made("kind", {"b": 2, "a": 1}, FILES, make, second) == {"made": 1}
    assert make.times == 1
    assert {path.name: path.read_bytes() for path in second.iterdir()} == {"one": b"eins", "two": b"zwei"}


@pytest.mark.parametrize(("kind", "inputs"), [("other", {"a": 1}), ("kind", {"a": 2}), ("kind", {"a": 1, "b": None})])
def test_other_inputs_or_another_kind_are_another_result(cache, into, kind, inputs):
    make = Maker()
    cache.made("kind", {"a": 1}, FILES, make, into())
    assert cache.made(kind, inputs, FILES, make, into()) == {"made": 2}


def entry_of(cache):
    (record,) = cache.path.rglob(RECORD)
    return record.parent


DAMAGES = {
    "a file is cut short": lambda entry: (entry / "one").write_bytes(b"ein"),
    "a file is another": lambda entry: (entry / "one").write_bytes(b"einz"),
    "a file is gone": lambda entry: (entry / "two").unlink(),
    "the record is gone": lambda entry: (entry / RECORD).unlink(),
    "the record is no JSON": lambda entry: (entry / RECORD).write_text("{"),
    "the record is something else": lambda entry: (entry / RECORD).write_text("[1]"),
    "the record tells of other files": lambda entry: (entry / RECORD).write_text('{"files": {}, "record": {}}'),
    "the record has no hashes": lambda entry: (entry / RECORD).write_text('{"files": 3, "record": {}}'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_anew_and_replaced(cache, into, damage):
    make = Maker()
    cache.made("kind", {}, FILES, make, into())
    DAMAGES[damage](entry_of(cache))
    folder = into()
    assert cache.made("kind", {}, FILES, make, folder) == {"made": 2}
    assert (folder / "one").read_bytes() == b"eins"
    assert cache.made("kind", {}, FILES, make, into()) == {"made": 2}


def test_what_fails_leaves_no_entry(cache, into):
    def fail(folder):
        (folder / "one").write_bytes(b"half")
        raise OutputError("x", "is wrong")

    with pytest.raises(OutputError):
        cache.made("kind", {}, FILES, fail, into())
    assert list(cache.path.iterdir()) == []


def test_an_entry_has_no_trace_of_where_or_when_it_was_made(tmp_path, into):
    caches = [Cache(tmp_path / name) for name in ("here", "there")]
    for cache in caches:
        cache.made("kind", {}, FILES, Maker(), into())
    here, there = ((entry_of(cache) / RECORD).read_bytes() for cache in caches)
    assert here == there
    assert str(tmp_path).encode() not in here


def test_many_at_once_agree(cache, into):
    folders = [into() for _ in range(8)]
    threads = [threading.Thread(target=cache.made, args=("kind", {}, FILES, Maker(), folder)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((folder / "two").read_bytes() == b"zwei" for folder in folders)
    assert [path.name for path in cache.path.iterdir()] == [content_key({"name": "kind", "inputs": {}})[:2]]


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        Cache(tmp_path / "file" / "cache")
