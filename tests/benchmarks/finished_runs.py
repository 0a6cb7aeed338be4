"""A file of finished runs, one line of JSON each, so that a benchmark that was killed goes on where it was."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class FinishedRuns:
    """What runs found, by what they depend on.

    A line is on the disk before `add` returns. A last line that a kill cut short counts for nothing.

    Args:
        path: of the file; neither it nor its folder need be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """What the newest run with exactly these inputs found, None without one."""
        if not self.path.exists():
            return None
        wanted = json.loads(json.dumps(inputs))  # as it reads back: tuples are lists
        for line in reversed(self.path.read_text(encoding="utf-8").split("\n")[:-1]):
            try:
                run = json.loads(line)
            except json.JSONDecodeError:
                continue  # cut short, and another run added after it
            if run["inputs"] == wanted:
                found: dict[str, Any] = run["found"]
                return found
        return None

    def add(self, inputs: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        """Remember what a run with these inputs found, JSON values."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            if file.tell() and not self.path.read_bytes().endswith(b"\n"):
                file.write(b"\n")
            file.write(json.dumps({"inputs": inputs, "found": found}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
