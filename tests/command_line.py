"""The command line as its users meet it: a process with arguments, two streams and an exit code.

Whatever a test runs here is held to what is published: the exit code is one of the list, and with --json stdout is one
document that keeps the schema of its kind, the failure where there is no result.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from published_schemas import validate

from sparsetool_converters.exit_codes import ExitCode

# Documents of what was looked for and found wrong: these are results, and the exit code tells that there are faults.
FINDINGS = {"compress many", "explain", "sizes", "targets check", "verify", "verify against"}


class Finished:
    """What a process left behind; it is held to what is published.

    Args:
        arguments: what the process was given after its name.
        code: its exit code.
        out: its stdout.
        err: its stderr; None where it had none.
    """

    def __init__(self, arguments: Sequence[object], code: int, out: str, err: str | None) -> None:
        self.code, self.out, self.err = code, out, err or ""
        assert code in list(ExitCode), f"exit code {code} is not documented: {self.err}"
        if "--json" not in arguments:
            return
        document = self.json
        assert out == json.dumps(document, indent=2) + "\n"
        validate(document)
        assert document.get("exit_code", code) == code
        assert (document["kind"] == "error") == (code != 0 and document["kind"] not in FINDINGS)
        if document["kind"] == "error" and err is not None:
            assert self.err.splitlines()[-1].lower() == f"error: {document['message']}".lower()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def said(self) -> list[str]:
        """Lines on stderr that are no progress."""
        return said(self.err)

    def error(self, code: int) -> str:
        """The one line that a refusal consists of, if nothing else was said but progress and what is reused.

        With --json it stands on stdout, too.
        """
        assert self.code == code, self.err
        assert self.out == "" or self.json["kind"] == "error"
        (line,) = (line for line in self.said if not line.endswith(": unchanged, reused"))
        assert line.startswith("error: ")
        return line.removeprefix("error: ")

    def failure(self, code: int) -> str:
        """The one line on stderr of a comparison that found faults, all of which it printed as results."""
        assert self.code == code, self.err
        assert self.out != ""
        (line,) = self.said
        assert line.startswith("error: ")
        return line.removeprefix("error: ")


def said(err: str) -> list[str]:
    """Lines of a stderr that are no progress."""
    return [line for line in err.splitlines() if not (" gone" in line and "%), " in line) and not line.endswith(" ...")]


def command(*arguments: object) -> list[str]:
    """What runs `sparsetool` with these arguments."""
    return [sys.executable, "-m", "sparsetool", *map(str, arguments)]


def run(folder: Path, *arguments: object, under: Sequence[str] = (), **environment: str) -> Finished:
    """Run `sparsetool` in a folder, with nobody at the keyboard; under another program, if one is given."""
    process = subprocess.run(
        [*under, *command(*arguments)],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Finished(arguments, process.returncode, process.stdout, process.stderr)


def run_redirected(folder: Path, *arguments: object, streams: str) -> subprocess.CompletedProcess[str]:
    """Run `sparsetool` in a folder, its streams as a shell is told: `<&-` closes stdin, `2>&-` stderr."""
    line = f"exec {shlex.join(command(*arguments))} {streams}"
    return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, check=False)
