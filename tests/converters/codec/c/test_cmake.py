"""The CMake package: configured, built, installed and found by another project."""

import shutil
import subprocess
from pathlib import Path

import pytest
from c_tools import SOURCES, need, need_compiler

pytestmark = pytest.mark.slow

USER = """\
cmake_minimum_required(VERSION 3.18)
project(user LANGUAGES C)
{lines}
add_executable(user user.c)
target_link_libraries(user PRIVATE tflz::tflz)
"""
USER_C = """\
#include <stdio.h>
#include <tflz.h>
int main(void) { return puts(tflz_error_name(tflz_inspect("", 0, 0, NULL))) < 0; }
"""
GENERATORS = {"Ninja": "ninja", "Unix Makefiles": "make"}


def cmake(*arguments: object) -> str:
    finished = subprocess.run(["cmake", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def user_says(folder: Path, lines: str, *options: str) -> str:
    """What a project that uses the package prints."""
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(USER.format(lines=lines))
    (folder / "user.c").write_text(USER_C)
    cmake("-S", folder, "-B", folder / "build", *options)
    cmake("--build", folder / "build")
    return subprocess.run([folder / "build" / "user"], capture_output=True, text=True, check=True).stdout


@pytest.fixture(params=GENERATORS)
def generator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    need("cmake"), need(GENERATORS[request.param])
    monkeypatch.setenv("CC", need_compiler("gcc"))
    monkeypatch.setenv("CMAKE_GENERATOR", request.param)
    return str(request.param)


@pytest.mark.parametrize("shared", ["ON", "OFF"])
def test_package_is_installed_and_found(generator: str, shared: str, tmp_path: Path) -> None:
    built, installed = tmp_path / "build", tmp_path / "installed"
    options = [f"-DCMAKE_INSTALL_PREFIX={installed}", f"-DBUILD_SHARED_LIBS={shared}", "-DCMAKE_INSTALL_LIBDIR=lib"]
    cmake("-S", SOURCES, "-B", built, *options, "-DCMAKE_INSTALL_RPATH_USE_LINK_PATH=ON")
    cmake("--build", built)
    cmake("--install", built)
    assert (installed / "include" / "tflz.h").exists()
    assert shutil.which("tflz", path=str(installed / "bin")) is not None
    found = f"-DCMAKE_PREFIX_PATH={installed}"
    assert user_says(tmp_path / "user", "find_package(tflz 0.1 CONFIG REQUIRED)", found) == "not a .tflz container\n"
    without = "-DCMAKE_DISABLE_FIND_PACKAGE_zstd=ON"  # then pkg-config's answer, or the search paths, must do
    assert user_says(tmp_path / "other", "find_package(tflz CONFIG REQUIRED)", found, without) != ""


def test_part_of_another_build(generator: str, tmp_path: Path) -> None:
    assert user_says(tmp_path / "user", f"add_subdirectory({SOURCES} tflz)") == "not a .tflz container\n"
    assert not (tmp_path / "user" / "build" / "tflz" / "tflz").exists()  # the command is for those who ask


def test_another_libzstd_can_be_given(generator: str, tmp_path: Path) -> None:
    own = (
        "add_library(mine INTERFACE)\ntarget_link_libraries(mine INTERFACE zstd)\nadd_library(tflz::zstd ALIAS mine)\n"
    )
    assert user_says(tmp_path / "user", f"{own}add_subdirectory({SOURCES} tflz)") == "not a .tflz container\n"


def test_version_is_that_of_the_project() -> None:
    project = (SOURCES.parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    (version,) = (line.split('"')[1] for line in project.splitlines() if line.startswith("version = "))
    assert f"project(tflz VERSION {version} " in (SOURCES / "CMakeLists.txt").read_text(encoding="utf-8")
