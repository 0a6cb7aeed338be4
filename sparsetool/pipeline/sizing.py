"""Sizes of files that are there, held against limits; nothing is converted."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sparsetool.pipeline.batch import failure_of
from sparsetool.pipeline.events import Listener, Silence
from sparsetool.pipeline.formats import Format, format_of_source, packed, unpacked
from sparsetool.pipeline.size_gate import SizeGate
from sparsetool.report.records import Sizes
from sparsetool.report.size_records import FailureRecord, SizedRecord, SizesRecord
from sparsetool_converters.errors import ModelFormatError, SparseToolError, UsageError
from sparsetool_converters.model import Model


def size_files(files: Sequence[Path], gate: SizeGate, *, listener: Listener | None = None) -> SizesRecord:
    """Measure files and hold them against limits; none is raised for.

    Args:
        files: `.tflite`, `.tflz` or `.tflite.zst`. What is packed already is measured as it is, what is not is packed
            as `.tflz` to know what would travel.
        gate: limits on their sizes, by the names that `artifact_names` gives.
        listener: hears of each file that is done.

    Returns:
        All that could be measured, and what could not.

    Raises:
        UsageError: a file is named twice, or there is a budget for a name that none has.
    """
    listener = listener or Silence()
    names = artifact_names(files)
    gate.budgets.check_names(names)
    found: list[SizedRecord] = []
    failures: list[FailureRecord] = []
    for done, (file, name) in enumerate(zip(files, names, strict=True)):
        listener.progress("size", done, len(files), str(file))
        try:
            found.append(_sized(file, name, gate))
        except SparseToolError as problem:
            failures.append(failure_of(str(file), problem))
    listener.progress("size", len(files), len(files))
    return SizesRecord(artifacts=tuple(found), gone=gate.gone(names), failures=tuple(failures))


def artifact_names(files: Sequence[Path]) -> list[str]:
    """The name of each file without its suffix; where several have the same, the path without suffix.

    Raises:
        UsageError: still the same.
    """
    bare = [
        file.parent / file.name.removesuffix(".zst").removesuffix(".tflite").removesuffix(".tflz") for file in files
    ]
    count = Counter(path.name for path in bare)
    names = [path.name if count[path.name] == 1 else path.as_posix() for path in bare]
    for name, times in Counter(names).items():
        if times > 1:
            raise UsageError(f"{name}: {times} of the files would have this name in budgets and baselines; name one")
    return names


def _sized(file: Path, name: str, gate: SizeGate) -> SizedRecord:
    """Raises SparseToolError if the file is no model, or does not run where RAM is limited."""
    try:
        content = file.read_bytes()
    except OSError as problem:
        raise ModelFormatError(str(file), f"cannot be read: {problem.strerror}") from problem
    form = format_of_source(file)
    model = unpacked(content, form, where=str(file))
    Model.from_bytes(model, where=str(file))
    travelling = packed(model, Format.TFLZ) if form is Format.TFLITE else content
    return gate.measure(name, model, Sizes.of(model, travelling))
