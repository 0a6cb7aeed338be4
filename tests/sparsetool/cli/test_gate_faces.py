"""Reports of a gate on sizes: written whole, on failure too, and told to GitHub only where that runs the command."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from sparsetool.cli.gate_faces import GateReports, draw_sizes
from sparsetool.report.junit import junit_xml
from sparsetool.report.records import SizeLimitRecord, Sizes
from sparsetool.report.size_records import SizedRecord, SizesRecord
from sparsetool.report.size_table import size_markdown
from sparsetool_converters.errors import OutputError, UsageError

LIMIT = SizeLimitRecord(size="disk", rule="budget", actual_bytes=2_000, limit_bytes=1_000, kept=False)
SIZED = SizedRecord(name="größe", sizes=Sizes(disk=2_000, gzip=2, zstd=2, wire=1_500), limits=(LIMIT,))
BROKEN = SizesRecord(artifacts=(SIZED,))
IMPORTS = (
    "from sparsetool.cli.gate_faces import GateReports; from sparsetool.report.records import SizeLimitRecord, Sizes; "
    "from sparsetool.report.size_records import SizedRecord, SizesRecord"
)
ERROR_LINE = "::error title=sparsetool%3A too large::größe: disk size is 2,000 bytes, 1,000 over the budget of 1,000\n"


def test_both_reports_are_written_of_a_failure(tmp_path, capsys):
    reports = GateReports(junit=tmp_path / "junit.xml", markdown=tmp_path / "sizes.md")
    reports.check()
    reports.write(BROKEN, {})
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
    reports.write(BROKEN, {})
    before = path.stat()
    reports.write(BROKEN, {})
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert path.read_bytes() == junit_xml(BROKEN)


def written_by_a_process(folder, **environment):
    """Write reports of the failure in a process that has this environment, as commands do."""
    code = f"import os; from pathlib import Path; {IMPORTS}; GateReports().write({BROKEN!r}, os.environ)"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_on_github_limits_are_annotated_on_stderr_and_the_summary_is_added_to(tmp_path):
    summary = tmp_path / "summary"
    summary.write_text("of another step\n")
    done = written_by_a_process(tmp_path, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="summary", PYTHONUTF8="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ERROR_LINE)
    assert summary.read_text("utf-8") == f"of another step\n{size_markdown(BROKEN)}\n"


@pytest.mark.parametrize("value", ["", "false", "1"])
def test_elsewhere_no_summary_is_written(tmp_path, capsys, value):
    summary = tmp_path / "summary"
    GateReports().write(BROKEN, {"GITHUB_ACTIONS": value, "GITHUB_STEP_SUMMARY": str(summary)})
    assert not summary.exists()
    assert capsys.readouterr() == ("", "")


def test_a_summary_that_cannot_be_written_is_an_error_after_the_annotations(tmp_path):
    done = written_by_a_process(tmp_path, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="no/summary", PYTHONUTF8="1")
    assert done.returncode != 0
    assert done.stderr.startswith(ERROR_LINE)
    assert "OutputError: no/summary: cannot be written: No such file or directory" in done.stderr


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
    assert out.endswith("1 of 1 artifact failed: 1 over a limit\n")
    assert err == ""
