"""What is drawn where: progress and errors on stderr, results on stdout."""

import io
import json
import os
import pty
import subprocess
import sys

import pytest

from sparsetool.cli.screen import Screen, show, show_json


def test_numbers_that_json_has_no_word_for_become_null(capsys):
    show_json(
        {"kind": "numbers", "a": float("inf"), "b": [float("nan"), -float("inf"), 1.5], "c": {"d": (None, True, 3)}}
    )
    wanted = {"kind": "numbers", "a": None, "b": [None, None, 1.5], "c": {"d": [None, True, 3]}}
    assert json.loads(capsys.readouterr().out) == wanted


@pytest.mark.parametrize("text", ["net:key:kernel", "layer[0]/w[bold]", "x" * 500])
def test_names_are_shown_as_they_are_and_on_one_line(capsys, text):
    show(text)
    assert capsys.readouterr().out == f"{text}\n"


@pytest.fixture
def told():
    """A screen on a stream that is no terminal, and the lines that it has then."""
    screen, stream = Screen(), io.StringIO()
    screen._stderr = stream

    def lines():
        screen.close()
        return stream.getvalue().splitlines()

    return screen, lines


def test_where_stderr_is_no_screen_a_task_is_a_line_at_its_start_and_end(told):
    screen, lines = told
    for done in range(101):
        screen.progress("calibrate", done, 100)
    screen.progress("accuracy", 5, 2_000, "small")
    assert lines() == [
        "calibrate: 0 of 100 (0%), 0:00 gone",
        "calibrate: 100 of 100 (100%), 0:00 gone",
        "accuracy: 5 of 2,000 (0%), 0:00 gone, 0:00 left, small",
    ]


def test_an_error_is_one_line(told):
    screen, lines = told
    screen.note("one")
    screen.error("two")
    assert lines() == ["one", "error: two"]


def test_on_a_screen_bars_show_the_time_that_is_left():
    code = (
        "from sparsetool.cli.screen import Screen\nscreen = Screen()\nscreen.hush()\n"
        "import os; os.write(2, b'noise of a library')\n"
        "for i in range(5): screen.progress('calibrate', i, 4, 'detail')\n"
        "print('result')"
    )
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=child, env=environment)
    os.close(child)
    seen = b""
    try:
        while chunk := os.read(parent, 4096):
            seen += chunk
    except OSError:  # how a terminal ends
        pass
    out, _ = process.communicate()
    os.close(parent)
    assert (process.returncode, out) == (0, b"result\n")
    assert b"calibrate" in seen
    assert b"left" in seen
    assert b"100%" in seen
    assert b"noise" not in seen
