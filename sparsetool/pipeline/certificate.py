"""The certificate of a verification: written once, read again, and repeated."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sparsetool.pipeline.outputs import write
from sparsetool.report.finite import finite
from sparsetool.report.records import SCHEMA_VERSION, as_json
from sparsetool.report.verification_record import VerificationRecord
from sparsetool_converters.errors import ModelFormatError, VerificationError

KIND = "verify"
# What kernels compute depends on these; without them only what needs no runtime, and the verdict, must come out again.
ENVIRONMENT = ("versions", "processor")
MEASURED = ("outputs", "metric", "gates", "bisected", "findings")
MOST_DIFFERENCES = 20
_RECORD = TypeAdapter(VerificationRecord)


@dataclass(frozen=True, kw_only=True)
class RepetitionRecord:
    """A verification beside the certificate of an earlier one.

    Attributes:
        certificate: the file's name.
        repeated: whether everything that must come out again did.
        differences: what did not, a line each.
        notes: what differs and may, since the runtime or the machine is another one.
        found: the verification as it came out now.
        exit_code: 0 if it was repeated and the verdict is "pass", else 4, or that of the verification.
    """

    certificate: str
    repeated: bool
    differences: tuple[str, ...]
    notes: tuple[str, ...]
    found: VerificationRecord
    exit_code: int


def certificate_bytes(record: VerificationRecord) -> bytes:
    """The certificate; the same record gives the same bytes."""
    return (json.dumps(finite(as_json(KIND, record)), indent=1, allow_nan=False) + "\n").encode()


def write_certificate(record: VerificationRecord, path: Path) -> None:
    """Write the certificate, whole or not at all.

    Raises:
        OutputError: the folder cannot be written.
    """
    write(path, certificate_bytes(record))


def read_certificate(path: Path) -> VerificationRecord:
    """Read a certificate.

    Raises:
        ModelFormatError: it cannot be read, is damaged, or of another version.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise ModelFormatError(str(path), f"cannot be read: {problem.strerror}") from problem
    except (ValueError, RecursionError) as problem:  # the latter for brackets that are nested without end
        raise ModelFormatError(str(path), f"is no certificate: {problem}") from problem
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise ModelFormatError(str(path), "is no certificate; sparsetool verify --certificate writes one")
    if found.get("schema_version") != SCHEMA_VERSION:
        version = found.get("schema_version")
        raise ModelFormatError(str(path), f"is of version {version}; this sparsetool reads version {SCHEMA_VERSION}")
    try:
        return _RECORD.validate_python(found)
    except ValidationError as problem:
        error = problem.errors(include_url=False)[0]
        place = ".".join(map(str, error["loc"]))
        raise ModelFormatError(str(path), f"is damaged: {place}: {error['msg']}") from problem


def held_against(certificate: VerificationRecord, found: VerificationRecord, *, name: str) -> RepetitionRecord:
    """Compare a verification with a certificate.

    On the same versions and processor every figure must be the same. On others, outputs may differ in their last
    digits: then the verdict, the files, and what was compared without a runtime must be the same.

    Args:
        certificate: the earlier verification.
        found: the later one.
        name: of the certificate's file.
    """
    ours, theirs = (finite(asdict(record)) for record in (certificate, found))
    for record in (ours, theirs):
        for key in ("reference", "candidate", "data"):
            del record[key]["name"]  # a file may have been renamed; its hash tells that it is the same
    other = [key for key in ENVIRONMENT if ours[key] != theirs[key]]
    lines = {key: list(_differences(key, ours[key], theirs[key])) for key in ours}
    tolerated = {*ENVIRONMENT, *(MEASURED if other else ())}
    differences = [line for key, found_lines in lines.items() if key not in tolerated for line in found_lines]
    notes = [line for key, found_lines in lines.items() if key in tolerated for line in found_lines]
    repeated = not differences
    return RepetitionRecord(
        certificate=name,
        repeated=repeated,
        differences=_bounded(differences),
        notes=_bounded(notes),
        found=found,
        exit_code=found.exit_code or (0 if repeated else VerificationError.exit_code),
    )


def _bounded(lines: list[str]) -> tuple[str, ...]:
    if len(lines) <= MOST_DIFFERENCES:
        return tuple(lines)
    return (*lines[:MOST_DIFFERENCES], f"and {len(lines) - MOST_DIFFERENCES:,} more")


def _differences(place: str, wanted: Any, found: Any) -> Iterator[str]:
    """Every figure that is not the same, with its place."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in dict.fromkeys([*wanted, *found]):
            yield from _differences(f"{place}.{key}", wanted.get(key), found.get(key))
    elif isinstance(wanted, list | tuple) and isinstance(found, list | tuple) and len(wanted) == len(found):
        for index, pair in enumerate(zip(wanted, found, strict=True)):
            yield from _differences(f"{place}[{index}]", *pair)
    elif isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        yield f"{place}: {len(found):,} entries instead of {len(wanted):,}"
    elif wanted != found:
        yield f"{place}: {found} instead of {wanted}"
