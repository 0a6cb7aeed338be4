"""What becomes of a package's files: brought once, checked, whole or not at all."""

import hashlib
import os
import zipfile

import pytest

from sparsetool.package_index import package_files
from sparsetool_converters.errors import UsageError

CONTENTS = {"sample_data/first.txt": b"what was published", "sample_data/deep/second.txt": b"and the rest of it"}
HASHES = {member: hashlib.sha256(content).hexdigest() for member, content in CONTENTS.items()}
FIRST, SECOND = CONTENTS
PACKAGE = "sample-data==1.0"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A wheel that pip finds in a folder with no network, and a cache that is empty; returns where things are kept."""
    links = tmp_path / "links"
    links.mkdir()
    with zipfile.ZipFile(links / "sample_data-1.0-py3-none-any.whl", "w") as wheel:
        for member, content in CONTENTS.items():
            wheel.writestr(member, content)
        wheel.writestr("sample_data-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: sample-data\nVersion: 1.0\n")
        wheel.writestr(
            "sample_data-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("sample_data-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sparsetool" / "sample-data-1.0"


def test_files_come_in_the_order_asked_for_and_nothing_else_is_kept(index):
    paths = package_files(PACKAGE, {SECOND: HASHES[SECOND], FIRST: HASHES[FIRST]})
    assert paths == (index / "second.txt", index / "first.txt")
    assert [path.read_bytes() for path in paths] == [CONTENTS[SECOND], CONTENTS[FIRST]]
    assert set(index.iterdir()) == set(paths)


def test_what_the_cache_holds_needs_no_index(index, monkeypatch):
    paths = package_files(PACKAGE, HASHES)
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    assert package_files(PACKAGE, HASHES) == paths


def test_only_a_damaged_file_is_replaced(index):
    first, second = package_files(PACKAGE, HASHES)
    first.write_bytes(b"half a file")
    time = second.stat().st_mtime_ns
    assert package_files(PACKAGE, HASHES) == (first, second)
    assert first.read_bytes() == CONTENTS[FIRST]
    assert second.stat().st_mtime_ns == time


@pytest.mark.parametrize(
    ("package", "members", "problem"),
    [
        (PACKAGE, {**HASHES, SECOND: "0" * 64}, "deep/second.txt in sample_data-1.0-.* does not have the SHA-256 0000"),
        (PACKAGE, {**HASHES, "sample_data/third.txt": "0" * 64}, "does not hold sample_data/third.txt"),
        ("sample-data==2.0", HASHES, "sample-data==2.0: pip cannot bring it: ERROR: No matching distribution"),
    ],
    ids=["other bytes", "no such file", "no such version"],
)
def test_other_than_what_was_published_is_refused_and_nothing_is_kept(index, package, members, problem):
    with pytest.raises(UsageError, match=problem) as refusal:
        package_files(package, members)
    assert "\n" not in str(refusal.value)
    assert not list(index.parent.rglob("*.txt"))
    assert not list(index.parent.glob("*/tmp*"))


def test_a_cache_that_cannot_be_written_is_named(index):
    index.parent.parent.mkdir()
    index.parent.write_bytes(b"no folder")
    with pytest.raises(UsageError, match=r"sample-data-1\.0: sample-data==1\.0 cannot be kept there: Not a directory"):
        package_files(PACKAGE, HASHES)
