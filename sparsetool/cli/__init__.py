"""The command line: parse, call, draw, exit code. Each command imports what it needs when it runs."""

import traceback

from sparsetool_converters.errors import SparseToolError

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from sparsetool.cli.commands import app
        from sparsetool.cli.options import screen
    except KeyboardInterrupt:
        return INTERRUPTED
    try:
        app(prog_name="sparsetool")
    except SystemExit as done:  # how the parser ends, well or with a usage error
        code = done.code if isinstance(done.code, int) else 0
        if code == INTERRUPTED:
            screen.error("interrupted; nothing is half written, and what was finished is reused by the next run")
        return code
    except SparseToolError as problem:
        screen.error(str(problem))
        return problem.exit_code
    except Exception:
        screen.internal(traceback.format_exc())
        screen.error("this is a fault of sparsetool itself; please report it with the lines above")
        return 1
    finally:
        screen.close()
    return 0


__all__ = ["main"]
