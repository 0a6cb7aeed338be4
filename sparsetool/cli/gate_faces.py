"""Where a gate on sizes is told: reports in files, the terminal, and GitHub where that runs the command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sparsetool.cli.options import screen
from sparsetool.cli.screen import on_github, show

if TYPE_CHECKING:
    from sparsetool.report.size_records import SizesRecord


@dataclass(frozen=True, kw_only=True)
class GateReports:
    """Files to write a gate's verdicts to.

    Attributes:
        junit: for JUnit XML.
        markdown: for a table in Markdown.
    """

    junit: Path | None = None
    markdown: Path | None = None

    def check(self) -> None:
        """Raise OutputError or UsageError, before the work, for reports that could not be written."""
        from sparsetool.pipeline.outputs import check_destination
        from sparsetool_converters.errors import UsageError

        if self.junit is not None and self.junit == self.markdown:
            raise UsageError(f"--junit and --markdown both name {self.junit}; name two files")
        for path in (self.junit, self.markdown):
            if path is not None:
                check_destination(path, force=True)

    @contextmanager
    def told(self, name: str) -> Iterator[None]:
        """Write reports of a failure in the block, which goes on its way.

        Args:
            name: what the block is about, for a failure that is not one of sizes.
        """
        from sparsetool.pipeline.batch import failure_of
        from sparsetool.pipeline.size_gate import SizeLimitError
        from sparsetool.report.size_records import SizesRecord

        try:
            yield
        except SizeLimitError as problem:
            self.write(SizesRecord(artifacts=problem.artifacts))
            raise
        except Exception as problem:
            self.write(SizesRecord(artifacts=(), failures=(failure_of(name, problem),)))
            raise

    def write(self, record: "SizesRecord") -> None:
        """Write all reports, whatever the verdict; on GitHub, also annotate, and add the table to the step's summary.

        To be called before a failure is raised. A report that has the same content already is left alone.

        Raises:
            OutputError: one cannot be written.
        """
        from sparsetool.pipeline.outputs import write
        from sparsetool.report.github import workflow_commands
        from sparsetool.report.junit import junit_xml
        from sparsetool.report.size_table import size_markdown

        table = size_markdown(record)
        if on_github():
            screen.annotated = True
            for line in workflow_commands(record):  # first: they are seen even if a file cannot be written
                screen.note(line)
            if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
                _append(Path(summary), f"{table}\n")
        if self.junit is not None:
            write(self.junit, junit_xml(record))
        if self.markdown is not None:
            write(self.markdown, table.encode())


def draw_sizes(record: "SizesRecord") -> None:
    """Print the table of sizes, what went wrong, and the headline."""
    from sparsetool.report.size_table import headline, size_sheet
    from sparsetool.report.terminal import sheet_table

    sheet = size_sheet(record)
    show(sheet_table(replace(sheet, notes=())), *sheet.notes, headline(record))


def _append(path: Path, text: str) -> None:
    """Add to a file that other steps write to as well."""
    from sparsetool_converters.errors import OutputError

    try:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as problem:
        raise OutputError(str(path), f"cannot be written: {problem.strerror}") from problem
