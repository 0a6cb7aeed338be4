"""A user's model file: every mistake in it is one line with the file's name."""

import numpy as np
import pytest

from sparsetool.pipeline.user_model import UserModel
from sparsetool_converters.errors import CalibrationDataError, UsageError

GOOD = """\
import numpy as np

class Network:
    def fit(self): ...

def build():
    return Network()

def data():
    x, y = np.zeros((6, 4), np.float32), np.arange(6)
    return {"train": (x, y), "validation": (x[:2], y[:2]), "test": (x[2:], y[2:])}
"""


@pytest.fixture
def user(tmp_path):
    def load(text):
        path = tmp_path / "model.py"
        path.write_text(text)
        return UserModel(path)

    return load


def refusal(call):
    with pytest.raises(UsageError) as caught:
        call()
    (line,) = str(caught.value).splitlines()
    return line


def test_data_and_network_are_what_the_functions_return(user):
    model = user(GOOD)
    assert {split: len(x) for split, (x, _) in model.data.items()} == {"train": 6, "validation": 2, "test": 4}
    assert type(model.build()).__name__ == "Network"
    assert model.build() is not model.build()


def test_data_is_asked_for_once_and_nothing_is_loaded_before(user, tmp_path):
    marker = tmp_path / "loaded"
    model = user(f"open({str(marker)!r}, 'a').write('x')\n{GOOD}")
    assert model.source.startswith(b"open(")
    assert not marker.exists()
    assert model.data is model.data
    model.build()
    assert marker.read_text() == "x"


def test_a_file_that_does_not_exist_is_refused(tmp_path):
    line = refusal(lambda: UserModel(tmp_path / "model.py"))
    assert "no such file; the recipe's model.source must name a Python file" in line


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def build(:", "cannot be loaded: SyntaxError: "),
        ("import no_such_package", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise ValueError('one\\n\\ntwo')", "cannot be loaded: ValueError: one two"),
        ("raise SystemExit(0)", "cannot be loaded: SystemExit: 0"),
        ("", "has no function data()"),
        ("data = 3", "has no function data()"),
        ("def data(): return 1 / 0", "data() failed: ZeroDivisionError: division by zero"),
        ("def data(n): ...", "data() failed: TypeError: "),
        ("def data(): exit(0)", "data() failed: SystemExit: "),
    ],
)
def test_a_file_that_fails_is_named_with_its_error(user, tmp_path, text, problem):
    model = user(text)
    assert refusal(lambda: model.data).startswith(f"{tmp_path / 'model.py'}: {problem}")


@pytest.mark.parametrize(
    "returned",
    [
        "None",
        "[1, 2]",
        "{}",
        "{'train': pair, 'validation': pair}",
        "{'train': pair, 'validation': pair, 'test': None}",
        "{'train': pair, 'validation': pair, 'test': 3}",
        "{'train': pair, 'validation': pair, 'test': (3, 4)}",
        "{'train': pair, 'validation': pair, 'test': (x, y, y)}",
        "{'train': pair, 'validation': pair, 'test': (x, y[1:])}",
        "{'train': pair, 'validation': pair, 'test': (x[:0], y[:0])}",
        "{'train': pair, 'validation': pair, 'test': (x, y.astype(float))}",
        "{'train': pair, 'validation': pair, 'test': (x, np.eye(6, dtype=int))}",
        "{'train': pair, 'validation': pair, 'test': (x, np.array(1))}",
    ],
)
def test_other_data_is_refused_with_what_is_wanted(user, returned):
    text = f"import numpy as np\nx, y = np.zeros((6, 4)), np.arange(6)\npair = (x, y)\ndef data(): return {returned}"
    line = refusal(lambda: user(text).data)
    assert "data() must return a dictionary with train, validation, test, each a pair of arrays" in line


def test_the_split_at_fault_is_named(user):
    text = GOOD.replace('"validation": (x[:2]', '"validation": (x[:3]')
    assert "'validation' is not" in refusal(lambda: user(text).data)


@pytest.mark.parametrize("returned", ["None", "3", "'model'"])
def test_another_network_is_refused(user, returned):
    line = refusal(user(f"def build(): return {returned}").build)
    assert "build() must return a keras.Model; got " in line


def test_a_file_without_build_is_refused(user):
    assert "has no function build()" in refusal(user("def data(): ...").build)


def test_what_the_file_refuses_itself_is_passed_on(user):
    text = "from sparsetool_converters.errors import CalibrationDataError\ndef data(): raise CalibrationDataError('no')"
    model = user(text)
    with pytest.raises(CalibrationDataError, match=r"^no$"):
        _ = model.data


def test_arrays_are_passed_on_as_they_are(user):
    x, y = user(GOOD).data["train"]
    assert (x.dtype, y.dtype) == (np.dtype(np.float32), np.arange(1).dtype)
