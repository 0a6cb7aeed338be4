"""Reports of a gate on sizes: written whole, on failure too, and told to GitHub only where that runs the command."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from command_line import run
from models_in_memory import mlp

from sparsetool.cli.gate_faces import GateReports, draw_sizes
from sparsetool.report.junit import junit_xml
from sparsetool.report.records import SizeLimitRecord, Sizes
from sparsetool.report.size_records import SizedRecord, SizesRecord
from sparsetool.report.size_table import size_markdown
from sparsetool_converters.errors import OutputError, UsageError

LIMIT = SizeLimitRecord(size="disk", rule="budget", actual_bytes=2_000, limit_bytes=1_000, kept=False)
SIZED = SizedRecord(name="größe", sizes=Sizes(disk=2_000, gzip=2, zstd=2, wire=1_500), limits=(LIMIT,))
BROKEN = SizesRecord(artifacts=(SIZED,))


def test_both_reports_are_written_of_a_failure(tmp_path, capsys):
    reports = GateReports(junit=tmp_path / "junit.xml", markdown=tmp_path / "sizes.md")
    reports.check()
    reports.write(BROKEN)
    assert (tmp_path / "junit.xml").read_bytes() == junit_xml(BROKEN)
    assert (tmp_path / "sizes.md").read_bytes() == size_markdown(BROKEN).encode()
    assert ET.parse(tmp_path / "junit.xml").find(".//failure") is not None
    assert {path.name for path in tmp_path.iterdir()} == {"junit.xml", "sizes.md"}
    assert capsys.readouterr() == ("", "")


def test_a_report_that_is_there_is_replaced_and_an_equal_one_left_alone(tmp_path):
    path = tmp_path / "junit.xml"
    path.write_text("of yesterday")
    reports = GateReports(junit=path)
    reports.check()
    reports.write(BROKEN)
    before = path.stat()
    reports.write(BROKEN)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert path.read_bytes() == junit_xml(BROKEN)


def gated(folder, **environment):
    """The command, on a model that is too large."""
    (folder / "größe.tflite").write_bytes(mlp([np.ones((4, 4), np.float32)]))
    return run(folder, "size", "größe.tflite", "--budget", "disk=1", **environment)


def test_on_github_limits_are_annotated_on_stderr_and_the_summary_is_added_to(tmp_path):
    (tmp_path / "summary").write_text("of another step\n")
    finished = gated(tmp_path, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="summary")
    annotation, error = finished.said
    told = error.removeprefix("error: ")
    assert finished.code == 3
    assert told.startswith("größe: disk size is ")
    assert annotation == f"::error title=sparsetool%3A too large::{told}"
    assert "::error" not in finished.out
    before, *added = (tmp_path / "summary").read_text("utf-8").splitlines()
    assert before == "of another step"
    assert added[0] == "**1 of 1 artifact failed: 1 over a limit**"
    assert added[-1] == ""  # what the next step adds does not run into the table


@pytest.mark.parametrize("value", ["", "false", "1"])
def test_elsewhere_nothing_is_annotated_and_no_summary_written(tmp_path, value):
    finished = gated(tmp_path, GITHUB_ACTIONS=value, GITHUB_STEP_SUMMARY="summary")
    assert finished.failure(3).startswith("größe: disk size is ")
    assert not (tmp_path / "summary").exists()


def test_a_summary_that_cannot_be_written_is_an_error_after_the_annotations(tmp_path):
    finished = gated(tmp_path, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="no/summary")
    annotation, error = finished.said
    assert finished.code == 2
    assert annotation.startswith("::error title=sparsetool%3A too large::größe: ")
    assert error == "error: no/summary: cannot be written: No such file or directory"


def test_a_report_without_a_folder_is_refused_before_the_work(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        GateReports(junit=tmp_path / "no" / "junit.xml").check()


def test_one_file_for_both_reports_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--junit and --markdown both name"):
        GateReports(junit=tmp_path / "a", markdown=tmp_path / "a").check()


def test_the_table_and_its_headline_are_results(capsys):
    draw_sizes(BROKEN)
    out, err = capsys.readouterr()
    assert "over by 1,000" in out
    assert out.endswith("\n1 of 1 artifact failed: 1 over a limit\n")
    assert err == ""


def test_on_github_whatever_else_fails_is_annotated_once(tmp_path):
    (tmp_path / "bad.tflite").write_bytes(b"no model")
    for arguments in (("inspect", "bad.tflite"), ("compress", "bad.tflite", "-o", "small.tflite")):
        finished = run(tmp_path, *arguments, GITHUB_ACTIONS="true")
        annotation, error = finished.said
        assert finished.code == 5
        assert annotation.startswith("::error title=sparsetool")
        assert annotation.endswith(error.removeprefix("error: "))
