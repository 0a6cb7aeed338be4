"""What tests of all packages share: models that others published, and what small ones are built with."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).parent


def _load(name: str, path: Path) -> ModuleType:
    """Import a module by its path and under a plain name: tests are no package, and no folder is on the search path."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# Tests import these.
_load("published_schemas", TESTS / "published_schemas.py")
_load("command_line", TESTS / "command_line.py")
_load("models_in_memory", TESTS / "models_in_memory.py")
_load("one_op_models", TESTS / "one_op_models.py")
_load("model_trees", TESTS / "model_trees.py")
_load("kernel_sets", TESTS / "kernel_sets.py")
_load("micro_models", TESTS / "micro_models.py")
_load("channel_networks", TESTS / "channel_networks.py")
_load("cut_networks", TESTS / "cut_networks.py")
_load("random_networks", TESTS / "random_networks.py")
_load("c_tools", TESTS / "c_tools.py")
_load("wheels", TESTS / "wheels.py")
_load("browser", TESTS / "browser.py")
_load("bisected_networks", TESTS / "bisected_networks.py")
_load("hand_made_report", TESTS / "hand_made_report.py")
_load("broken_containers", TESTS / "broken_containers.py")
FUZZ = ("seed_models", "mutations", "steps", "cases", "campaign", "tensor_files", "round_trips", "containers")
for _name in (*FUZZ, "small_containers", "fuzz_c"):
    _load(_name, TESTS / "fuzz" / f"{_name}.py")
for _name in ("figures", "peer_environment", "finished_runs", "tfmot_process", "tfmot_masks"):
    _load(_name, TESTS / "benchmarks" / f"{_name}.py")


os.environ.pop("GITHUB_ACTIONS", None)  # commands under test say more there; tests of that set it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="Rewrite files that tests hold code against.")


@pytest.fixture(scope="session")
def published_fetch() -> ModuleType:
    """The module tests/published/fetch.py."""
    return _load("published_fetch", TESTS / "published" / "fetch.py")


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
