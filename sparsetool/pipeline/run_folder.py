"""A folder of results, each with the key of what made it, so that nothing is made twice."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.outputs import staged
from sparsetool_converters.errors import OutputError

STEPS = "steps.json"


def sha256(data: bytes) -> str:
    """Hash that names content in keys."""
    return hashlib.sha256(data).hexdigest()


class RunFolder:
    """Remembers which step made which files from what.

    A step is made again if its inputs changed or its files are not the ones it wrote; otherwise its record and files
    are reused. A step that is interrupted leaves nothing, so the next run goes on with it.

    Args:
        path: the folder, which must exist.
        listener: told what is reused.
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
            files: names of the files that it writes; those of a step that wrote more are reused as well.
            make: writes them into the folder it is given and returns a record of plain data.

        Returns:
            The record.

        Raises:
            OutputError: the folder cannot be written.
        """
        key = sha256(json.dumps(inputs, sort_keys=True).encode())
        match self._steps().get(name):
            case {"key": known_key, "files": known_files, "record": dict(known)}:
                if known_key == key and {file: known_files.get(file) for file in files} == self._hashes(files):
                    self._listener.note(f"{name}: unchanged, reused")
                    return known
        self._listener.note(f"{name} ...")
        with self._new_folder() as folder:
            record = make(Path(folder))
            self._take_over(Path(folder), files)
        self._write({**self._steps(), name: {"key": key, "files": self._hashes(files), "record": record}})
        return record

    def _new_folder(self) -> tempfile.TemporaryDirectory[str]:
        try:
            return tempfile.TemporaryDirectory(prefix=".step-", dir=self.path)
        except OSError as problem:
            raise OutputError(str(self.path), f"cannot be written: {problem.strerror}") from problem

    def _take_over(self, made: Path, files: tuple[str, ...]) -> None:
        for file in files:
            try:
                (made / file).replace(self.path / file)
            except OSError as problem:
                raise OutputError(str(self.path / file), f"cannot be written: {problem.strerror}") from problem

    def _hashes(self, files: tuple[str, ...]) -> dict[str, str]:
        present = [f for f in files if (self.path / f).is_file()]
        return {f: sha256((self.path / f).read_bytes()) for f in present}

    def _steps(self) -> dict[str, Any]:
        try:
            steps = json.loads((self.path / STEPS).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return steps if isinstance(steps, dict) else {}

    def _write(self, steps: Mapping[str, Any]) -> None:
        with staged(self.path / STEPS) as temporary:
            temporary.write_text(json.dumps(steps, indent=1, sort_keys=True) + "\n", "utf-8")
