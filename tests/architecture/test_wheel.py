"""The wheel, built and installed alone: what a user gets."""

import configparser
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from wheels import PIP, REPOSITORY, built_wheel

pytestmark = pytest.mark.slow

PACKAGES = {"sparsetool": REPOSITORY, "sparsetool_converters": REPOSITORY / "converters"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_wheel(tmp_path_factory.mktemp("wheel"))


def test_wheel_holds_every_file_of_both_packages_and_nothing_else(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    present = {
        path.relative_to(root).as_posix()
        for package, root in PACKAGES.items()
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == present
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def test_wheel_brings_the_licence_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name.partition(".dist-info/")[2] for name in archive.namelist() if ".dist-info/" in name]
        (entry_points,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        commands = configparser.ConfigParser()
        commands.read_string(archive.read(entry_points).decode())
    assert "licenses/LICENSE" in names
    assert dict(commands["console_scripts"]) == {"sparsetool": "sparsetool.cli:main"}


def test_wheel_works_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    subprocess.run([*PIP, "install", "--no-deps", "--target", str(target), str(wheel)], check=True)
    # -I and -S: no environment, no .pth file, so nothing leads back to the repository
    script = (
        f"import sys; sys.path[:0] = [{str(target)!r}]; sys.path.append({sysconfig.get_path('purelib')!r})\n"
        "import sparsetool, sparsetool.cli, sparsetool_converters\n"
        "print(sparsetool.__file__, sparsetool_converters.__file__, sparsetool.cli.__file__, sep='\\n')\n"
    )
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert all(Path(line).is_relative_to(target) for line in finished.stdout.splitlines())
