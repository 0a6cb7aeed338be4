"""What may be named as samples on the command line."""

import numpy as np
import pytest

from sparsetool.pipeline.sample_source import samples_named
from sparsetool_converters.errors import CalibrationDataError, UsageError


@pytest.fixture
def functions(tmp_path):
    path = tmp_path / "data.py"
    path.write_text("import numpy as np\nnothing = 3\ndef digits():\n    yield np.ones(2)\n    yield np.zeros(2)\n")
    return path


def test_a_function_of_a_python_file_gives_samples(functions):
    assert samples_named(f"{functions}:digits").tolist() == [[1, 1], [0, 0]]


def test_a_file_and_a_folder_are_read(tmp_path):
    np.save(tmp_path / "0.npy", np.ones(2))
    assert samples_named(str(tmp_path / "0.npy")).tolist() == [1, 1]
    assert samples_named(str(tmp_path)).tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("data.py", "name the function that gives samples, as in .*data.py:samples"),
        ("data.py:missing", r"has no function missing\(\)"),
        ("data.py:nothing", r"has no function nothing\(\)"),
        ("other.py:digits", "other.py: cannot be read: no such file"),
        ("missing.npz", "missing.npz: cannot be read"),
    ],
)
def test_what_gives_no_samples_is_refused_in_one_line(functions, name, problem):
    with pytest.raises(CalibrationDataError, match=problem) as caught:
        samples_named(str(functions.parent / name))
    assert "\n" not in str(caught.value)


def test_a_python_file_that_fails_is_refused_in_one_line(tmp_path):
    (tmp_path / "data.py").write_text("raise RuntimeError('one\\ntwo')")
    with pytest.raises(UsageError, match="cannot be loaded: RuntimeError: one two"):
        samples_named(f"{tmp_path / 'data.py'}:digits")
