"""A folder of results, each with the key of what made it, so that nothing is made twice."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sparsetool.pipeline.cache import Cache, content_key
from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.outputs import staged
from sparsetool_converters.errors import OutputError

WORK = ".work"  # the usual name, inside a folder of results: what steps made, before all of it is verified
STEPS, LOCK, STATE_SUFFIX, IGNORED = "steps.json", "lock", ".state", ".gitignore"


def sha256(data: bytes) -> str:
    """Hash that names content in keys."""
    return hashlib.sha256(data).hexdigest()


@contextmanager
def opened(path: Path, listener: Listener, cache: Cache | None = None) -> Iterator["RunFolder"]:
    """A folder that nobody else works in meanwhile, without what a killed run left half made.

    Args:
        path: the folder, which must exist.
        listener: told what is reused.
        cache: where steps' results are kept beyond this folder.

    Raises:
        OutputError: another run works in it, or it cannot be written.
    """
    with _locked(path):
        try:
            for leftover in path.glob(".*"):  # only what is temporary begins with a dot here
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            (path / IGNORED).write_text("*\n", "utf-8")  # none of this is for a repository
        except OSError as problem:
            raise OutputError(str(path), f"cannot be written: {problem.strerror}") from problem
        yield RunFolder(path, listener, cache)


class RunFolder:
    """Remembers which step made which files from what.

    A step is made again if its inputs changed or its files are not the ones it wrote; otherwise its record and files
    are reused. A step that is interrupted leaves nothing but, if it is one that keeps a state, the state, so the next
    run goes on with it.

    Args:
        path: the folder, which must exist.
        listener: told what is reused.
        cache: where steps' results are kept beyond this folder.
    """

    def __init__(self, path: Path, listener: Listener, cache: Cache | None = None) -> None:
        self.path, self._listener, self._cache = path, listener, cache
        self._lock = threading.Lock()  # steps may be made in several threads

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
        if (known := self.current(name, inputs, files)) is not None:
            self._listener.note(f"{name}: unchanged, reused")
            return known
        self._listener.note(f"{name} ...")
        with self._new_folder() as folder:
            made = Path(folder)
            record = make(made) if self._cache is None else self._cache.made(name, inputs, files, make, made)
            self._take_over(made, files)
        step = {"key": content_key(inputs), "files": self._hashes(files), "record": record}
        with self._lock:
            self._write({**self._steps(), name: step})
        return record

    def current(self, name: str, inputs: Mapping[str, Any], files: tuple[str, ...]) -> dict[str, Any] | None:
        """The record of a step that need not be made again; None for one that must.

        Args:
            name, inputs, files: as of `step`.
        """
        match self._steps().get(name):
            case {"key": key, "files": known_files, "record": dict(known)}:
                if key == content_key(inputs) and {f: known_files.get(f) for f in files} == self._hashes(files):
                    return known
        return None

    def resumable_step(
        self,
        name: str,
        inputs: Mapping[str, Any],
        files: tuple[str, ...],
        make: Callable[[Path, Path], dict[str, Any]],
    ) -> dict[str, Any]:
        """Make a step's files, or reuse them, as `step` does; meanwhile it may keep in a file how far it has come.

        Args:
            name: as of `step`.
            inputs: as of `step`; other inputs have another file, so that none goes on from what others left.
            files: as of `step`.
            make: as of `step`; the second path that it is given is that of the file, which is there if this very step
                left one. Once the step is done, the file is removed.

        Returns:
            The record.

        Raises:
            OutputError: the folder cannot be written.
        """
        stem = name.replace(" ", "-")
        state = self.path / f"{stem}-{content_key(inputs)[:16]}{STATE_SUFFIX}"
        self._remove(set(self.path.glob(f"{stem}-*{STATE_SUFFIX}")) - {state})
        record = self.step(name, inputs, files, lambda destination: make(destination, state))
        self._remove({state})
        return record

    def _remove(self, paths: set[Path]) -> None:
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as problem:
                raise OutputError(str(path), f"cannot be removed: {problem.strerror}") from problem

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


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system takes back even from a process that is killed."""
    try:
        lock = (path / LOCK).open("a+", encoding="utf-8")
    except OSError as problem:
        raise OutputError(str(path / LOCK), f"cannot be written: {problem.strerror}") from problem
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.truncate(0)
            print(os.getpid(), file=lock, flush=True)
        except BlockingIOError as problem:
            lock.seek(0)
            holder = f"another run, process {lock.read().strip() or 'unknown'}, is at work there"
            raise OutputError(
                str(path.parent), f"{holder}; wait for it, or name another folder for the results"
            ) from problem
        except OSError as problem:
            raise OutputError(str(path / LOCK), f"cannot be locked: {problem.strerror}") from problem
        yield
