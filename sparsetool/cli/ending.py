"""How a command that failed ends: a line on stderr and, where --json was asked for and no result came, a document."""

import os
import sys
import traceback
from typing import TYPE_CHECKING

from sparsetool.cli.options import screen
from sparsetool.cli.screen import documents_printed, on_github, show_json
from sparsetool_converters.errors import OutputError, SparseToolError
from sparsetool_converters.exit_codes import ExitCode

if TYPE_CHECKING:
    from sparsetool.report.error_record import ErrorRecord

INTERRUPTED = "interrupted; nothing is half written, and what was finished is reused by the next run"
INTERNAL = "this is a fault of sparsetool itself; please report it with the lines above"


def refused(problem: SparseToolError) -> int:
    """End after a deliberate failure."""
    if on_github() and not screen.annotated:
        from sparsetool.report.github import failure_command

        screen.note(failure_command(str(problem)))
    screen.error(str(problem))
    if _document_is_due():
        from sparsetool.report.error_record import ErrorRecord

        _print(ErrorRecord.of(problem))
    return problem.exit_code


def faulty(problem: Exception) -> int:
    """End after a failure that nobody foresaw."""
    screen.internal("".join(traceback.format_exception(problem)))
    screen.error(INTERNAL)
    return _other(ExitCode.INTERNAL, type(problem).__name__, INTERNAL)


def parsed(done: SystemExit) -> int:
    """End as the parser does: well, with a command's own exit code, or after wrong usage, of which it told itself."""
    code = done.code if isinstance(done.code, int) else 0
    if code == ExitCode.INTERRUPTED:
        screen.error(INTERRUPTED)
        return _other(ExitCode.INTERRUPTED, "Interrupted", INTERRUPTED)
    told = getattr(done.__context__, "format_message", None)  # of wrong usage; a command that ends itself has no text
    return code if told is None else _other(ExitCode.USAGE, "UsageError", told())


def _other(code: ExitCode, error: str, message: str) -> int:
    if _document_is_due():
        from sparsetool.report.error_record import ErrorRecord

        _print(ErrorRecord.other(code, error, message))
    return code


def _document_is_due() -> bool:
    return "--json" in sys.argv[1:] and not documents_printed


def _print(record: "ErrorRecord") -> None:
    """Print the document where stdout takes it; stderr has told of the failure already."""
    from sparsetool.report.records import as_json

    try:
        show_json(as_json("error", record))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer would fail once more at exit
    except OutputError:
        pass
