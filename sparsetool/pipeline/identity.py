"""Which files and which machine a result comes from."""

import hashlib
import platform
from pathlib import Path

from sparsetool.bench import this_processor
from sparsetool.report.verification_record import ModelIdentity

# Kernels are chosen by these; the first that a processor has stands for those that it implies.
_FLAGS = (
    ("amx_int8",),
    ("avx512_vnni", "avx512f", "avx2", "avx", "sse4_2"),
    ("sve", "i8mm", "asimddp", "asimd"),
)


def identify(path: Path, model: bytes) -> ModelIdentity:
    """Name and hashes of a model.

    Args:
        path: what the user named, a file or a SavedModel folder.
        model: the .tflite that it is, holds or converts to.
    """
    return ModelIdentity(
        name=path.name,
        file_sha256=sha256_of(path),
        model_sha256=hashlib.sha256(model).hexdigest(),
        disk_bytes=len(model),
    )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files, by their names in it and their contents."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file_path in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(file_path.relative_to(path).as_posix().encode() + b"\0")
        digest.update(bytes.fromhex(sha256_of(file_path)))
    return digest.hexdigest()


def processor() -> str:
    """The machine's kind, with what the runtime chooses its kernels by, such as "x86_64 amx_int8 avx512_vnni"."""
    found = this_processor().flags
    best = [next((flag for flag in group if flag in found), "") for group in _FLAGS]
    return " ".join([platform.machine(), *filter(None, best)])
