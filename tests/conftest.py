"""What tests of all packages share: models that others published."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


def _load_fetch() -> ModuleType:
    path = Path(__file__).with_name("published") / "fetch.py"
    spec = importlib.util.spec_from_file_location("published_fetch", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def published_fetch() -> ModuleType:
    """The module tests/published/fetch.py."""
    return _load_fetch()


@pytest.fixture(scope="session")
def published_model(published_fetch: ModuleType) -> Callable[[str], Path]:
    """Path of a published model by its name in tests/published/models.toml.

    Where it cannot be had the test is skipped, or fails if SPARSETOOL_REQUIRE_MODELS is 1. A model whose
    archive is large is used only if the cache has it already.
    """
    models = published_fetch.published_models()

    def path_of(name: str) -> Path:
        model = models[name]
        if model.on_request and not published_fetch.is_cached(model):
            pytest.skip(f"{name} is large to bring; to have it: python tests/published/fetch.py {name}")
        try:
            path: Path = published_fetch.fetch(model)
        except published_fetch.FetchError as error:
            if os.environ.get("SPARSETOOL_REQUIRE_MODELS") == "1":
                raise
            pytest.skip(str(error))
        return path

    return path_of
