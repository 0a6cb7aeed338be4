"""A folder of results, each with the key of what made it, so that nothing is made twice."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.outputs import staged

STEPS = "steps.json"


def sha256(data: bytes) -> str:
    """Hash that names content in keys."""
    return hashlib.sha256(data).hexdigest()


class RunFolder:
    """Remembers which step made which files from what.

    A step is made again if its inputs changed or its files are not the ones it wrote; otherwise its record and files
    are reused. A step that is interrupted leaves nothing, so the next run goes on with it.

    Args:
        path: the folder; it is made if it does not exist.
        listener: told what is reused.

    Raises:
        OutputError: the folder cannot be written.
    """

    def __init__(self, path: Path, listener: Listener) -> None:
        self.path, self._listener = path, listener

    def step(
        self,
        name: str,
        inputs: Mapping[str, Any],
        files: tuple[str, ...],
        make: Callable[[Path], dict[str, Any]],
    ) -> dict[str, Any]:
        """Make a step's files, or reuse them.

        Args:
            name: the step.
            inputs: all that its result depends on, as plain data.
            files: names of the files that it writes.
            make: writes them into the folder it is given and returns a record of plain data.

        Returns:
            The record.
        """
        key = sha256(json.dumps(inputs, sort_keys=True).encode())
        known = self._steps().get(name)
        if known is not None and known["key"] == key and known["files"] == self._hashes(files):
            self._listener.note(f"{name}: unchanged, reused")
            record: dict[str, Any] = known["record"]
            return record
        with tempfile.TemporaryDirectory(prefix=".step-", dir=self.path) as folder:
            record = make(Path(folder))
            for file in files:
                os.replace(Path(folder, file), self.path / file)  # noqa: PTH105 (same call as in `staged`)
        self._write({**self._steps(), name: {"key": key, "files": self._hashes(files), "record": record}})
        return record

    def _hashes(self, files: tuple[str, ...]) -> dict[str, str]:
        present = [f for f in files if (self.path / f).is_file()]
        return {f: sha256((self.path / f).read_bytes()) for f in present}

    def _steps(self) -> dict[str, Any]:
        try:
            steps: dict[str, Any] = json.loads((self.path / STEPS).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return steps

    def _write(self, steps: Mapping[str, Any]) -> None:
        with staged(self.path / STEPS) as temporary:
            temporary.write_text(json.dumps(steps, indent=1, sort_keys=True) + "\n", "utf-8")
