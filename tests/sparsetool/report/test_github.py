"""Workflow commands, read as a runner of GitHub Actions reads them."""

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sparsetool.report.figures import visible
from sparsetool.report.github import MOST_ANNOTATIONS, workflow_commands
from sparsetool.report.size_records import FailureRecord, SizesRecord

COMMAND = re.compile(r"::(error|notice) title=([^:,]*)::(.*)")


def read(line):
    """Level, title and message."""
    level, title, message = COMMAND.fullmatch(line).groups()
    for escape, meant in (("%3A", ":"), ("%2C", ",")):
        title = title.replace(escape, meant)
    for escape, meant in (("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        title, message = title.replace(escape, meant), message.replace(escape, meant)
    return level, title, message


def failure(message, name="bad", error="UsageError"):
    return FailureRecord(name=name, error=error, exit_code=2, message=message)


def test_each_broken_limit_and_each_failure_is_an_error(gated):
    assert [read(line) for line in workflow_commands(gated)] == [
        ("error", "sparsetool: too large", "grown: ram size is 5,000 bytes, 904 over the budget of 4,096"),
        (
            "error",
            "sparsetool: too large",
            "grown: disk size is 1,000 bytes, 120 over the 880 that its baseline of 800 allows (+25.00%)",
        ),
        ("error", "sparsetool: ModelFormatError", "bad.tflite: no flatbuffer"),
    ]


def test_success_is_one_notice_with_the_headline(gated):
    lines = workflow_commands(SizesRecord(artifacts=gated.artifacts[1:]))
    assert lines == ("::notice title=sparsetool::0 of 2 artifacts failed; all limits on sizes are kept",)


def test_of_more_errors_than_a_runner_shows_the_last_one_counts_the_rest(gated):
    record = replace(gated, artifacts=(), failures=tuple(failure(str(i)) for i in range(MOST_ANNOTATIONS + 5)))
    lines = [read(line) for line in workflow_commands(record)]
    assert len(lines) == MOST_ANNOTATIONS
    assert [message for _, _, message in lines[:-1]] == [f"bad: {i}" for i in range(MOST_ANNOTATIONS - 1)]
    assert lines[-1][2] == "and 6 more: 15 of 15 artifacts failed: 15 without a result"


def test_as_many_errors_as_a_runner_shows_are_all_told():
    record = SizesRecord(artifacts=(), failures=tuple(failure(str(i)) for i in range(MOST_ANNOTATIONS)))
    assert read(workflow_commands(record)[-1])[2] == f"bad: {MOST_ANNOTATIONS - 1}"


def test_a_message_that_names_the_artifact_does_so_once():
    record = SizesRecord(artifacts=(), failures=(failure("a.tflite: cannot be read", name="a.tflite"),))
    assert read(workflow_commands(record)[0])[2] == "a.tflite: cannot be read"


def test_the_characters_that_end_a_command_or_a_property_are_escaped():
    (line,) = workflow_commands(SizesRecord(artifacts=(), failures=(failure("50 %\r\n::x", error="A:B,C"),)))
    assert line == "::error title=sparsetool%3A A%3AB%2CC::bad: 50 %25%0D%0A::x"


@given(st.text(), st.text())
def test_any_name_and_message_stay_in_one_line(name, message):
    (line,) = workflow_commands(SizesRecord(artifacts=(), failures=(failure(message, name),)))
    assert line.isprintable()
    told = message if message.startswith(name) else f"{name}: {message}"
    assert visible(read(line)[2]) == visible(told)
