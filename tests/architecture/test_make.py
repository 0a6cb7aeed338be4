"""The Makefile: one clear line where it cannot work, and hooks that call its targets."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MAKE = shutil.which("make")


def run_make(target: str, python: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a target in a folder that holds nothing but the Makefile and pyproject.toml."""
    assert MAKE is not None
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, folder)
    command = [MAKE, "--no-print-directory", target, f"PYTHON={python}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def python_that_is(version: str, folder: Path, *, has_venv: bool = True) -> str:
    """A program that tells a version of Python, whatever it is asked to run."""
    program = folder / "python3"
    lacks = "" if has_venv else 'case "$2" in *ensurepip*) exit 1;; esac\n'
    program.write_text(f"#!/bin/sh\n{lacks}echo {version}\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)


@pytest.mark.skipif(MAKE is None, reason="make is not installed")
@pytest.mark.parametrize("version", ["2.7.18", "3.10.13", "3.14.0", "4.11.0"])
@pytest.mark.parametrize("target", ["demo", "test"])
def test_other_python_gets_one_line_that_names_the_right_ones(tmp_path: Path, version: str, target: str) -> None:
    python = python_that_is(version, tmp_path)
    finished = run_make(target, python, tmp_path)
    assert finished.returncode != 0
    (line,) = finished.stderr.splitlines()
    assert f"sparsetool needs Python 3.11, 3.12 or 3.13; {python} is {version} (set PYTHON=...)" in line
    assert not (tmp_path / ".venv").exists()


@pytest.mark.skipif(MAKE is None, reason="make is not installed")
def test_missing_python_gets_one_line(tmp_path: Path) -> None:
    finished = run_make("test", "no-such-python", tmp_path)
    assert finished.returncode != 0
    (line,) = finished.stderr.splitlines()
    assert "3.11, 3.12 or 3.13; no-such-python is not there" in line


@pytest.mark.skipif(MAKE is None, reason="make is not installed")
def test_python_without_venv_gets_one_line_with_the_way_out(tmp_path: Path) -> None:
    finished = run_make("demo", python_that_is("3.12.1", tmp_path, has_venv=False), tmp_path)
    assert finished.returncode != 0
    (line,) = finished.stderr.splitlines()
    assert "lacks venv or ensurepip" in line


def test_hooks_are_the_parts_of_lint() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (parts,) = re.findall(r"^lint: (.+)$", makefile, re.MULTILINE)
    hooks = re.findall(r"entry: make (\S+)", (REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert hooks == parts.split()
