"""The command line as its users meet it: a process with arguments, two streams and an exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Finished:
    """What a process left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def said(self) -> list[str]:
        """Lines on stderr that are no progress."""
        lines = self.err.splitlines()
        return [line for line in lines if not (" gone" in line and "%), " in line) and not line.endswith(" ...")]

    def error(self, code: int) -> str:
        """The one line that a refusal consists of, if nothing else was said but progress and what is reused."""
        assert self.code == code, self.err
        assert self.out == ""
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


def command(*arguments: object) -> list[str]:
    """What runs `sparsetool` with these arguments."""
    return [sys.executable, "-m", "sparsetool", *map(str, arguments)]


def run(folder: Path, *arguments: object, **environment: str) -> Finished:
    """Run `sparsetool` in a folder, with nobody at the keyboard."""
    process = subprocess.run(
        command(*arguments),
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Finished(process.returncode, process.stdout, process.stderr)
