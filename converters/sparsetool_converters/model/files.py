"""Model files: mapped when they are read, replaced whole when they are written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO

from sparsetool_converters.errors import ModelFormatError, OutputError


def map_file(path: Path) -> mmap | bytes:
    """The file's bytes, brought into memory page by page as they are read; plain bytes if it is empty.

    Raises:
        ModelFormatError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return b""
            return mmap(file.fileno(), 0, access=ACCESS_READ)
    except OSError as problem:
        raise ModelFormatError(str(path), f"cannot be read: {problem.strerror or problem}") from problem


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A new file beside `path`, open for writing, that takes its place if the block ends well and goes if not.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as problem:
        raise OutputError(str(path), f"cannot be written: {problem.strerror or problem}") from problem


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
