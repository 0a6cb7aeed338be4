"""Results by the content of all that they depend on, so that no machine makes one twice."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sparsetool.pipeline.identity import sha256_of
from sparsetool_converters.errors import OutputError

RECORD = "record.json"


def content_key(inputs: Mapping[str, Any]) -> str:
    """SHA-256 of plain data, whatever order its keys stand in."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


class Cache:
    """A folder of results, each in a folder that is named by the key of what made it.

    Several processes may use it at once. An entry is there as a whole or not at all; one that is damaged is made anew.
    Nothing is ever removed: delete the folder, or entries in it, at any time.

    Args:
        path: the folder, which is made if it is not there.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise _unwritable(path, problem) from problem

    def made(
        self,
        name: str,
        inputs: Mapping[str, Any],
        files: tuple[str, ...],
        make: Callable[[Path], dict[str, Any]],
        folder: Path,
    ) -> dict[str, Any]:
        """A result from here, or made and kept here.

        Args:
            name: the kind of result.
            inputs: all that it depends on, as plain data.
            files: names of its files.
            make: writes them into the folder that it is given and returns a record of plain data.
            folder: where the files are put, from here or by `make`.

        Returns:
            The record.

        Raises:
            OutputError: the cache cannot be written.
        """
        entry = self._entry(name, inputs)
        record = _taken(entry, files, folder)
        if record is None:
            record = make(folder)
            self._keep(entry, files, folder, record)
        return record

    def _entry(self, name: str, inputs: Mapping[str, Any]) -> Path:
        key = content_key({"name": name, "inputs": inputs})
        return self.path / key[:2] / key[2:]

    def _keep(self, entry: Path, files: tuple[str, ...], folder: Path, record: dict[str, Any]) -> None:
        try:
            entry.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".", dir=self.path) as temporary:
                made = Path(temporary, "entry")
                made.mkdir()
                hashes = {}
                for file in files:
                    shutil.copyfile(folder / file, made / file)
                    hashes[file] = sha256_of(made / file)
                text = json.dumps({"files": hashes, "record": record}, sort_keys=True)
                (made / RECORD).write_text(text, encoding="utf-8")
                if entry.exists():  # damaged, or made by another process meanwhile
                    entry.rename(Path(temporary, "before"))
                made.rename(entry)
        except OSError as problem:
            if not entry.exists():  # otherwise somebody else was faster
                raise _unwritable(entry, problem) from problem


def _taken(entry: Path, files: tuple[str, ...], folder: Path) -> dict[str, Any] | None:
    """The record of an entry, its files put into a folder; None if it is not there as a whole."""
    try:
        match json.loads((entry / RECORD).read_bytes()):
            case {"files": dict(hashes), "record": dict(record)} if set(hashes) == set(files):
                for file in files:
                    shutil.copyfile(entry / file, folder / file)
                    if sha256_of(folder / file) != hashes[file]:
                        return None
                return record
    except (OSError, ValueError):
        pass
    return None


def _unwritable(path: Path, problem: OSError) -> OutputError:
    return OutputError(str(path), f"cannot be written: {problem.strerror or problem}")
