"""Depfiles, read back by Make and Ninja themselves."""

import os
import subprocess

import pytest
from c_tools import need

from sparsetool.pipeline.depfile import depfile_text, files_of, write_depfile
from sparsetool_converters.errors import UsageError

ODD = ["plain.npy", "with space.npy", "with#hash.npy", "with$dollar.npy", "ünïcode.npy"]


def test_a_rule_for_each_output_and_an_empty_one_for_each_input():
    text = depfile_text({"out/a.tflz": ["a b.tflite", "x.npz"], "out/b.tflz": ["x.npz"]})
    assert text == ("out/a.tflz: \\\n  a\\ b.tflite \\\n  x.npz\nout/b.tflz: \\\n  x.npz\n\na\\ b.tflite:\n\nx.npz:\n")


@pytest.fixture
def built(tmp_path):
    """A folder where out.txt depends, by its depfile only, on files with odd names."""
    for name in ODD:
        (tmp_path / name).write_text(name)
    write_depfile(tmp_path / "out.d", {"out.txt": ODD})
    return tmp_path


@pytest.mark.parametrize("touched", ODD)
def test_make_rebuilds_for_every_input_and_survives_one_that_went(built, touched):
    (built / "Makefile").write_text("out.txt:\n\techo made >> out.txt\n-include out.d\n")

    def make():
        subprocess.run([need("make"), "--silent", "out.txt"], cwd=built, check=True, capture_output=True)
        return (built / "out.txt").read_text().count("made")

    assert [make(), make()] == [1, 1]
    later = (built / "out.txt").stat().st_mtime + 10
    os.utime(built / touched, (later, later))
    assert make() == 2
    (built / touched).unlink()
    make()


@pytest.mark.parametrize("touched", ODD)
def test_ninja_rebuilds_for_every_input(built, touched):
    (built / "out.d").rename(built / "kept.d")
    rule = "rule r\n  command = cp kept.d out.d && echo made >> out.txt\n  depfile = out.d\n  deps = gcc\n"
    (built / "build.ninja").write_text(f"{rule}build out.txt: r\n")

    def ninja():
        subprocess.run([need("ninja"), "out.txt"], cwd=built, check=True, capture_output=True)
        return (built / "out.txt").read_text().count("made")

    assert [ninja(), ninja()] == [1, 1]
    later = (built / "out.txt").stat().st_mtime + 10
    os.utime(built / touched, (later, later))
    assert ninja() == 2


def test_a_folder_means_every_file_in_it_and_a_function_its_file(tmp_path):
    for name in ("b.npy", "a.npy", "deeper/c.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert files_of(tmp_path) == [str(tmp_path / name) for name in ("a.npy", "b.npy", "deeper/c.npy")]
    assert files_of("data.py:samples") == ["data.py"]
    assert files_of("samples.npz") == ["samples.npz"]


@pytest.mark.parametrize("name", ["a\nb", "a\\"])
def test_a_name_that_make_cannot_hold_is_refused(name):
    with pytest.raises(UsageError, match="a depfile cannot name"):
        depfile_text({"out": [name]})


def test_an_unchanged_depfile_is_left_alone(tmp_path):
    path = tmp_path / "out.d"
    write_depfile(path, {"a": ["b"]})
    before = path.stat().st_mtime_ns
    write_depfile(path, {"a": ["b"]})
    assert path.stat().st_mtime_ns == before
