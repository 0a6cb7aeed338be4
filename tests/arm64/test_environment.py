"""What the setup of the emulated environment does without a network: leave alone, take anew, say why not."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(platform.machine() == "aarch64", reason="sets up an ARM64 environment on another host")

SCRIPT = Path(__file__).with_name("environment.py")


def run_script(folder: Path, programs: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the script where no programs are but these."""
    environment = {**os.environ, "SPARSETOOL_REQUIRE_ARM64": "", "PATH": str(programs), **environ}
    command = [sys.executable, str(SCRIPT), str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def key(tmp_path: Path) -> str:
    """What a complete environment says of itself."""
    code = "import environment; print(environment.default_folder().name.removeprefix('arm64-'))"
    environ = {**os.environ, "PYTHONPATH": str(SCRIPT.parent), "XDG_CACHE_HOME": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    return found.stdout.strip()


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


@pytest.fixture
def no_programs(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def test_complete_environment_is_left_alone(tmp_path: Path, no_programs: Path) -> None:
    folder = tmp_path / "arm64"
    folder.mkdir()
    (folder / "complete").write_text(key(tmp_path), encoding="utf-8")
    finished = run_script(folder, no_programs)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, f"{folder}\n", "")
    assert {path.name for path in folder.iterdir()} == {"complete", "lock"}


def test_environment_of_other_versions_is_not_taken(tmp_path: Path, no_programs: Path) -> None:
    folder = tmp_path / "arm64"
    folder.mkdir()
    (folder / "complete").write_text("000000000000", encoding="utf-8")
    assert run_script(folder, no_programs).returncode == 77


@pytest.mark.parametrize(("required", "code"), [("", 77), ("1", 1)])
def test_host_that_is_not_debian_gets_one_line(tmp_path: Path, no_programs: Path, required: str, code: int) -> None:
    finished = run_script(tmp_path / "arm64", no_programs, SPARSETOOL_REQUIRE_ARM64=required)
    assert finished.returncode == code
    (line,) = finished.stderr.splitlines()
    assert line == "No ARM64 environment: apt-get is not there, and the parts are Debian packages: use a Debian host"


def test_interrupted_setup_is_not_complete_and_sources_without_arm64_are_named(
    tmp_path: Path, no_programs: Path
) -> None:
    folder = tmp_path / "arm64"
    (folder / "sysroot").mkdir(parents=True)
    (folder / "sysroot" / "half").touch()
    program(no_programs, "dpkg", "echo amd64")
    program(no_programs, "apt-get", "exit 0")
    program(no_programs, "apt-cache", "echo 'N: first' >&2; echo 'E: No packages found' >&2; exit 100")
    program(no_programs, "dpkg-deb", "exit 1")
    finished = run_script(folder, no_programs)
    assert finished.returncode == 77
    reason = "apt's package sources offer nothing for arm64, or are out of reach (apt-cache show: E: No packages found)"
    assert finished.stderr.splitlines()[-1] == f"No ARM64 environment: {reason}"
    assert not (folder / "sysroot").exists()
    assert not (folder / "complete").exists()
