"""What the CMake package finds, and which calls of its function it refuses; nothing is built."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from c_tools import need
from command_line import run

from sparsetool import __version__

PACKAGE = Path(__file__).parents[2] / "sparsetool" / "cmake"
PROJECT = """\
cmake_minimum_required(VERSION 3.20)
project(calls LANGUAGES NONE)
{lines}
"""
FIND = 'find_package(sparsetool CONFIG REQUIRED)\nmessage(STATUS "sparsetool is ${SPARSETOOL_EXECUTABLE}")'


class Configuring:
    """A project of a few lines, configured."""

    def __init__(self, folder: Path, path: str) -> None:
        self.folder, self.path = folder, path

    def __call__(self, lines: str, *options: str, package: Path = PACKAGE) -> subprocess.CompletedProcess[str]:
        (self.folder / "CMakeLists.txt").write_text(PROJECT.format(lines=lines))
        command = ["cmake", "-S", ".", "-B", "build", f"-Dsparsetool_DIR={package}", *options]
        environment = {**os.environ, "PATH": self.path}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def refuses(self, lines: str, *options: str, package: Path = PACKAGE) -> str:
        """What CMake says, in one line; its own line breaks are anywhere."""
        done = self(lines, *options, package=package)
        assert done.returncode != 0
        assert "CMake Error" in done.stderr
        return " ".join(done.stderr.split())


def program(path: Path) -> Path:
    """Something to be found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def copied_package(folder: Path) -> Path:
    """The package at another place, where no command is beside it."""
    folder.mkdir(parents=True)
    for path in PACKAGE.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def configure(tmp_path: Path) -> Configuring:
    """Configures a project where no sparsetool is on the PATH."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cmake", "make"):
        (tools / name).symlink_to(need(name))
    project = tmp_path / "project"
    project.mkdir()
    return Configuring(project, str(tools))


def test_the_command_prints_where_the_package_is(tmp_path):
    printed = run(tmp_path, "cmake-dir")
    assert (printed.code, printed.out, printed.err) == (0, f"{PACKAGE}\n", "")
    assert {path.name for path in PACKAGE.iterdir()} >= {"sparsetool-config.cmake", "sparsetool-config-version.cmake"}


def test_asking_for_the_folder_loads_neither_numpy_nor_the_pipeline():
    code = (
        "import contextlib, runpy, sys; sys.argv = ['sparsetool', 'cmake-dir']\n"
        "with contextlib.suppress(SystemExit): runpy.run_module('sparsetool', run_name='__main__')\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "ai_edge_litert", "flatbuffers", "sparsetool.pipeline"} & set(loaded)


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("lib/python3.12/site-packages/sparsetool/cmake", "bin/sparsetool"),
        ("local/lib/python3.12/dist-packages/sparsetool/cmake", "local/bin/sparsetool"),
        ("target/sparsetool/cmake", "target/bin/sparsetool"),
        ("repository/sparsetool/cmake", "repository/.venv/bin/sparsetool"),
    ],
)
def test_the_command_of_the_same_environment_is_found_before_the_one_on_the_path(configure, tmp_path, package, command):
    expected = program(tmp_path / "env" / command)
    program(tmp_path / "tools" / "sparsetool")
    found = configure(FIND, package=copied_package(tmp_path / "env" / package))
    assert f"-- sparsetool is {expected}\n" in found.stdout


def test_a_command_on_the_path_is_found_and_another_one_may_be_named(configure, tmp_path):
    package = copied_package(tmp_path / "a" / "b" / "c" / "d" / "e" / "f")
    on_path, named = program(tmp_path / "tools" / "sparsetool"), program(tmp_path / "my tools" / "other")
    assert f"-- sparsetool is {on_path}\n" in configure(FIND, package=package).stdout
    assert f"-- sparsetool is {named}\n" in configure(FIND, f"-DSPARSETOOL_EXECUTABLE={named}", package=package).stdout


def test_no_command_leads_into_the_root_of_another_machine(configure, tmp_path):
    """A toolchain that seeks programs and packages in the target's root, as those for devices do."""
    root, package = tmp_path / "root", copied_package(tmp_path / "a" / "b" / "c" / "d" / "e" / "f")
    on_path = program(tmp_path / "tools" / "sparsetool")
    program(Path(f"{root}{on_path}"))
    modes = "\n".join(f"set(CMAKE_FIND_ROOT_PATH_MODE_{kind} ONLY)" for kind in ("PROGRAM", "PACKAGE"))
    toolchain = tmp_path / "toolchain.cmake"
    toolchain.write_text(f"set(CMAKE_SYSTEM_NAME Generic)\nset(CMAKE_FIND_ROOT_PATH {root})\n{modes}\n")
    make = f"-DCMAKE_MAKE_PROGRAM={tmp_path / 'tools' / 'make'}"  # which is not found in that root either
    found = configure(FIND, f"-DCMAKE_TOOLCHAIN_FILE={toolchain}", make, package=package)
    assert f"-- sparsetool is {on_path}\n" in found.stdout


def test_another_folder_of_the_package_means_another_command(configure, tmp_path):
    for name in ("one", "two"):
        command = program(tmp_path / name / "bin" / "sparsetool")
        package = copied_package(tmp_path / name / "lib" / "python3.12" / "site-packages" / "sparsetool" / "cmake")
        assert f"-- sparsetool is {command}\n" in configure(FIND, package=package).stdout


def test_a_missing_command_is_told_with_the_way_out(configure, tmp_path):
    package = copied_package(tmp_path / "a" / "b" / "c" / "d" / "e" / "f")
    said = configure.refuses(FIND, package=package)
    assert "there is no command sparsetool" in said
    assert "-DSPARSETOOL_EXECUTABLE=<absolute path>" in said
    for wrong in ("sparsetool", "/nowhere/sparsetool"):
        said = configure.refuses(FIND, f"-DSPARSETOOL_EXECUTABLE:STRING={wrong}", package=package)
        assert f'SPARSETOOL_EXECUTABLE is "{wrong}", which is not the absolute path of a file' in said


def test_the_version_is_that_of_the_package():
    assert f'set(PACKAGE_VERSION "{__version__}")\n' in (PACKAGE / "sparsetool-config-version.cmake").read_text()


MAJOR, MINOR, PATCH = (int(number) for number in __version__.split("."))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (f"{MAJOR}", True),
        (f"{MAJOR}.{MINOR}", True),
        (f"{MAJOR}.{MINOR}.{PATCH} EXACT", True),
        (f"{MAJOR}.{MINOR}.{PATCH + 1}", False),
        (f"{MAJOR}.{MINOR + 1}", False),
        (f"{MAJOR}.{MINOR}...{MAJOR + 1}", True),
        (f"{MAJOR}.{MINOR}.{PATCH}...<{MAJOR}.{MINOR}.{PATCH}.1", True),
        (f"{MAJOR}.0...<{MAJOR}.{MINOR}.{PATCH}", False),
        (f"{MAJOR}.0...{MAJOR}.{MINOR}.{PATCH}", True),
    ],
)
def test_a_version_that_is_asked_for_is_of_the_same_minor_version_or_in_the_range(configure, tmp_path, wanted, found):
    named = f"-DSPARSETOOL_EXECUTABLE={program(tmp_path / 'named')}"
    done = configure(f"find_package(sparsetool {wanted} CONFIG REQUIRED)", named)
    assert (done.returncode == 0) == found, done.stderr


REFUSED = [
    ("sparsetool_add_model(m)", "sparsetool_add_model(m): MODEL is missing"),
    ("sparsetool_add_model(m MODEL)", "MODEL has no value"),
    ("sparsetool_add_model(m MODEL a.tflite BUDGET)", "BUDGET has no value"),
    ("sparsetool_add_model(m MODEL BUDGET disk=1)", "MODEL has no value"),
    ('sparsetool_add_model(m MODEL a.tflite BUDGET "${NOT_SET}")', "BUDGET has no value"),
    ("sparsetool_add_model(m MODEL a.tflite BUGDET disk=1)", "unknown arguments: BUGDET;disk=1"),
    ("sparsetool_add_model(m a.tflite)", "unknown arguments: a.tflite"),
    ("sparsetool_add_model(m MODEL a.tflite LANGUAGE Rust)", "LANGUAGE is C or CXX, not Rust"),
    ("sparsetool_add_model(m MODEL a.tflite LANGUAGE CXX)", "the project does not use CXX; name it in project("),
    ("sparsetool_add_model(m MODEL a.tflite NAME g_m)", "NAME is that of an array"),
    (
        "enable_language(C)\nsparsetool_add_model(m-1 MODEL a.tflite LANGUAGE C)",
        "g_m-1_model_data cannot name an array",
    ),
    ("set(SPARSETOOL_EXECUTABLE)\nsparsetool_add_model(m MODEL a.tflite)", "call find_package(sparsetool) in"),
]


@pytest.mark.parametrize(("call", "problem"), REFUSED, ids=[problem for _, problem in REFUSED])
def test_a_call_that_cannot_be_meant_so_is_refused(configure, tmp_path, call, problem):
    named = f"-DSPARSETOOL_EXECUTABLE={program(tmp_path / 'named')}"
    configure.path = os.environ["PATH"]  # for compilers
    if "SPARSETOOL_EXECUTABLE" in call:
        named = "-DNOTHING=1"
        program(tmp_path / "tools" / "sparsetool")
        configure.path = f"{tmp_path / 'tools'}:{configure.path}"
    assert problem in configure.refuses(f"find_package(sparsetool CONFIG REQUIRED)\n{call}", named)
