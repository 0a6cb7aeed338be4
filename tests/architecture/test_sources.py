"""Rules that hold for every source file."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCES = sorted(
    path for root in ("sparsetool", "converters", "models", "tests") for path in (REPOSITORY / root).rglob("*.py")
)
CONVERTERS = sorted((REPOSITORY / "converters").rglob("*.py"))
MOST_LINES = 400
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
NOT_FROM_THE_INPUT = {"time", "datetime", "random", "secrets", "uuid"}


def test_no_file_is_longer_than_a_reader_can_follow() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    too_long = [f"{path.relative_to(REPOSITORY)} has {n} lines" for path, n in lengths.items() if n > MOST_LINES]
    assert SOURCES
    assert not too_long


def test_no_module_or_package_has_a_name_that_says_nothing() -> None:
    parts = {part for path in SOURCES for part in path.relative_to(REPOSITORY).with_suffix("").parts}
    assert not {part for part in parts if VAGUE_NAMES & set(part.removeprefix("test_").split("_"))}


@pytest.mark.parametrize("path", CONVERTERS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_converters_have_neither_clock_nor_chance(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {
        node.module.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }
    assert not NOT_FROM_THE_INPUT & imported
