"""What an import brings along: heavy libraries are loaded by the step that needs them, never before."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
HEAVY = (
    "tensorflow",
    "keras",
    "jax",
    "torch",
    "litert_quantizer",
    "ai_edge_litert.interpreter",
    "matplotlib",
    "PIL",
    "jinja2",
)
DOORS = {
    # prune/training.py asks for deterministic kernels, which Keras has no word for
    "tensorflow": ("sparsetool/export.py", "sparsetool/prune/training.py"),
    "keras": ("sparsetool/export.py", "sparsetool/prune/"),
    "ai_edge_litert.interpreter": ("sparsetool/verify/", "sparsetool/bench/"),
    "matplotlib": ("sparsetool/report/plots/",),
    "PIL": ("sparsetool/report/plots/", "converters/sparsetool_converters/image_samples.py"),
    "jinja2": ("sparsetool/report/html/",),
    "litert_quantizer": ("converters/sparsetool_converters/passes/quantize",),
}


def heavy_modules_after(statement: str) -> set[str]:
    """Those of HEAVY that a fresh interpreter has loaded once it has run a statement."""
    code = f"try:\n    {statement}\nfinally:\n    import sys; print('loaded', *sys.modules, file=sys.stderr)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return set(HEAVY) & set(finished.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("package", ["sparsetool_converters", "sparsetool"])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    assert heavy_modules_after(f"import {package}") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["plot", "--help"], ["compress", "--help"]])
def test_asking_for_help_loads_nothing_heavy(arguments: list[str]) -> None:
    statement = (
        f"import runpy, sys; sys.argv = {['sparsetool', *arguments]!r}; "
        "runpy.run_module('sparsetool', run_name='__main__')"
    )
    assert heavy_modules_after(statement) == set()


def test_asking_for_help_does_not_wait_for_numpy_and_the_schema() -> None:
    code = (
        "import contextlib, runpy, sys; sys.argv = ['sparsetool', '--help']\n"
        "with contextlib.suppress(SystemExit): runpy.run_module('sparsetool', run_name='__main__')\n"
        "sys.exit(sorted({'numpy', 'pydantic', 'ai_edge_litert'} & set(sys.modules)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def imported_modules(path: Path) -> Iterator[str]:
    """Full names of all that a file imports, at any depth, with `from a import b` as both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("library", DOORS)
def test_heavy_library_has_its_own_door(library: str) -> None:
    for root in ("sparsetool", "converters"):
        for path in sorted((REPOSITORY / root).rglob("*.py")):
            name = path.relative_to(REPOSITORY).as_posix()
            if not name.startswith(DOORS[library]):
                brought = [module for module in imported_modules(path) if f"{module}.".startswith(f"{library}.")]
                assert not brought, f"{name} imports {brought[0]}; only {DOORS[library]} may"
