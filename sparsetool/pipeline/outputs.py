"""Destinations: checked before the work, written whole or not at all."""

import filecmp
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparsetool_converters.errors import OutputError


def check_destination(path: Path, *, force: bool) -> None:
    """Raise OutputError if `path` could not be written, or exists and must not be replaced."""
    try:
        if path.is_dir():
            raise OutputError(str(path), "is a folder; name a file")
        if path.exists() and not force:
            raise exists_already(path)
        if not path.parent.is_dir():
            raise OutputError(str(path), f"the folder {path.parent} does not exist")
        with _temporary_beside(path):  # only trying tells: permissions mean nothing to root or to a read-only disk
            pass
    except OSError as problem:
        raise _unwritable(path, problem) from problem


def exists_already(path: Path) -> OutputError:
    """What to raise for a destination that must not be replaced."""
    return OutputError(str(path), "exists already; use --force to replace it")


def make_folder(path: Path) -> None:
    """Make a folder and those above it. Raises OutputError if it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise _unwritable(path, problem) from problem


@contextmanager
def staged(path: Path, *, within: Path | None = None) -> Iterator[Path]:
    """A temporary file, which replaces `path` if the block ends well and goes if it does not.

    A file with the same content is left alone, since build tools look at the time of a file.

    Args:
        path: the destination.
        within: a folder on the same file system for the temporary file, by default that of `path`.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        with _temporary_beside(path if within is None else within / path.name) as temporary:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            if not (path.is_file() and filecmp.cmp(temporary, path, shallow=False)):
                temporary.replace(path)
    except OSError as problem:
        raise _unwritable(path, problem) from problem


def write(path: Path, content: bytes) -> None:
    """Write a file as `staged` does.

    Raises:
        OutputError: it cannot be written.
    """
    with staged(path) as temporary:
        temporary.write_bytes(content)


def holds(path: Path, content: bytes) -> bool:
    """Whether a file is there and has exactly this content."""
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


@contextmanager
def _temporary_beside(path: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _unwritable(path: Path, problem: OSError) -> OutputError:
    return OutputError(str(path), f"cannot be written: {problem.strerror or problem}")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
