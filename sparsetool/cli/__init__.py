"""The command line: parse, call, draw, exit code. Each command imports what it needs when it runs."""

from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.exit_codes import ExitCode


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from sparsetool.cli import ending
        from sparsetool.cli.commands import app
        from sparsetool.cli.options import screen
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    try:
        app(prog_name="sparsetool")
    except SystemExit as done:
        return ending.parsed(done)
    except SparseToolError as problem:
        return ending.refused(problem)
    except Exception as problem:
        return ending.faulty(problem)
    finally:
        screen.close()
    return ExitCode.OK


__all__ = ["main"]
