"""What an output was made of, as Make and Ninja read it."""

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from sparsetool.pipeline.outputs import write
from sparsetool_converters.errors import UsageError

_ESCAPED = str.maketrans({" ": "\\ ", "#": "\\#", "$": "$$", "\t": "\\\t"})


def write_depfile(path: Path, made_of: Mapping[str, Sequence[str]]) -> None:
    """Write a rule for each output, and an empty one for each file, so that Make goes on without one that went.

    Args:
        path: the depfile.
        made_of: the files that each output was made of, both as build files name them.

    Raises:
        UsageError: a name that Make cannot hold.
        OutputError: it cannot be written.
    """
    write(path, depfile_text(made_of).encode())


def depfile_text(made_of: Mapping[str, Sequence[str]]) -> str:
    r"""The rules, for one output:

        out/small.tflz: \
          my\ model.tflite

        my\ model.tflite:

    Raises:
        UsageError: a name that Make cannot hold.
    """
    rules = []
    for output, inputs in made_of.items():
        rules.append(" \\\n  ".join((f"{_escaped(output)}:", *map(_escaped, inputs))))
    phony = dict.fromkeys(_escaped(name) for inputs in made_of.values() for name in inputs)
    return "\n".join((*rules, "", *(f"{name}:\n" for name in phony)))


def files_of(source: str | Path) -> list[str]:
    """Every file of a source: itself, all in it if it is a folder, or the Python file of a "file.py:function"."""
    text = os.fspath(source)
    file, colon, _ = text.rpartition(":")
    path = Path(file if colon and file.endswith(".py") else text)
    return sorted(str(p) for p in path.rglob("*") if p.is_file()) if path.is_dir() else [str(path)]


def prerequisites(*sources: str | Path) -> list[str]:
    """Every file of these sources, and the one that is new when this package was installed anew."""
    return [*dict.fromkeys(file for source in sources for file in files_of(source)), *_installation_stamp()]


def _installation_stamp() -> list[str]:
    try:
        found = files("sparsetool") or []
    except PackageNotFoundError:
        return []
    return [str(file.locate()) for file in found if file.name == "RECORD"]


def _escaped(name: str) -> str:
    if "\n" in name or name.endswith("\\"):
        raise UsageError(f"{name!r}: a depfile cannot name a file whose name ends in a backslash or holds a line break")
    return name.translate(_ESCAPED)
