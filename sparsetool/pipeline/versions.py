"""Versions of what a result depends on."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path


def installed_versions(*packages: str) -> dict[str, str | None]:
    """Version of each package, None for one that is not installed."""
    return {package: _version(package) for package in packages}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def source_digest(package: str) -> str:
    """SHA-256 over a package's Python files, names and contents: a version of our own that no edit forgets."""
    root = Path(str(files(package)))
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
