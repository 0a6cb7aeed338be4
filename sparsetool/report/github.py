"""A gate on sizes as workflow commands, which a runner of GitHub Actions shows as annotations.

Source of the escapes: actions/toolkit, packages/core/src/command.ts.
"""

from sparsetool.report.figures import visible
from sparsetool.report.size_limits import broken_text
from sparsetool.report.size_records import SizesRecord
from sparsetool.report.size_table import headline

TOOL = "sparsetool"
MOST_ANNOTATIONS = 10  # of one level that a step may have; a runner drops the others without a word


def workflow_commands(record: SizesRecord) -> tuple[str, ...]:
    """A line for each limit that is not kept and for each artifact without a result, or one that says all is well."""
    errors = [
        *(("sparsetool: too large", broken_text(name, limit)) for name, limit in record.broken),
        *((f"sparsetool: {each.error}", each.told) for each in record.failures),
    ]
    if not errors:
        return (_command("notice", TOOL, headline(record)),)
    if len(errors) > MOST_ANNOTATIONS:
        shown = MOST_ANNOTATIONS - 1
        errors[shown:] = [(TOOL, f"and {len(errors) - shown:,} more: {headline(record)}")]
    return tuple(_command("error", title, message) for title, message in errors)


def failure_command(message: str) -> str:
    """The line for a command that failed for this reason."""
    return _command("error", TOOL, message)


def _command(level: str, title: str, message: str) -> str:
    return visible(f"::{level} title={_property(title)}::{_data(message)}")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
