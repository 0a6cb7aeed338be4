"""The CMake package of the installed wheel, in a firmware project that is built with Ninja and with Make."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from c_tools import need
from models_in_memory import mlp
from wheels import built_wheel, environment_with

from sparsetool_converters.codec import unpack

pytestmark = pytest.mark.slow

FIRMWARE = Path(__file__).parent / "firmware"
GENERATORS = {"Ninja": "ninja", "Unix Makefiles": "make"}
COMPRESSING, EMBEDDING, COMPILING = "Compressing the model of ", "Embedding the model of ", "Building C object "


def called(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A finished process that knows nothing of this Python's own packages."""
    return subprocess.run(
        [*map(str, arguments)],
        env={name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def model(seed: int, rows: int) -> bytes:
    """Float32, 64 inputs, three in four weights zero."""
    weight = np.random.default_rng(seed).normal(size=(rows, 64)).astype(np.float32)
    weight[:, 16:] = 0
    return mlp([weight])


class Project:
    """The firmware project in a folder of its own."""

    def __init__(self, folder: Path, sparsetool_dir: str, generator: str) -> None:
        self.folder, self.build_folder = folder, folder / "build"
        self.sparsetool_dir, self.generator = sparsetool_dir, generator
        shutil.copytree(FIRMWARE, folder)
        self.change_model(seed=1)
        self.change_samples(1.0)

    def change_model(self, *, seed: int, rows: int = 48) -> None:
        (self.folder / "keywords.tflite").write_bytes(model(seed, rows))

    def change_samples(self, value: float) -> None:
        np.save(self.folder / "samples.npy", np.full((4, 64), value, np.float32))

    def configure(self, *options: str) -> str:
        found = f"-Dsparsetool_DIR={self.sparsetool_dir}"
        done = called("cmake", "-S", self.folder, "-B", self.build_folder, "-G", self.generator, found, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def try_to_build(self) -> subprocess.CompletedProcess[str]:
        return called("cmake", "--build", self.build_folder)

    def build(self) -> str:
        """Build, and return what was printed."""
        done = self.try_to_build()
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def prints(self, program: str = "firmware") -> str:
        return called(self.build_folder / program).stdout.strip()

    def artifact(self, name: str = "keywords.tflite") -> bytes:
        return (self.build_folder / name).read_bytes()

    def times(self) -> dict[str, int]:
        """When each file was last written, but for CMake's own notes of what Make is to look at."""
        files = (p for p in self.build_folder.rglob("*") if p.is_file() and p.stem != "compiler_depend")
        return {str(path): path.stat().st_mtime_ns for path in files}

    def rests(self) -> bool:
        """Whether another build does nothing."""
        before = self.times()
        said = self.build()
        assert (self.generator != "Ninja") or "no work to do" in said
        return self.times() == before and not any(work in said for work in (COMPRESSING, EMBEDDING, COMPILING))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    return environment_with(built_wheel(folder), folder / "an environment")


@pytest.fixture(scope="module")
def sparsetool_dir(environment: Path) -> str:
    return called(environment / "bin" / "sparsetool", "cmake-dir").stdout.strip()


@pytest.fixture(params=GENERATORS)
def project(request: pytest.FixtureRequest, sparsetool_dir: str, tmp_path: Path) -> Project:
    need("cmake"), need("gcc"), need("g++"), need(GENERATORS[request.param])
    return Project(tmp_path / "the project", sparsetool_dir, request.param)


@pytest.fixture(scope="module", params=GENERATORS)
def built(request: pytest.FixtureRequest, sparsetool_dir: str, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that is built; whatever a test changes, it leaves it built."""
    need("cmake"), need("gcc"), need("g++"), need(GENERATORS[request.param])
    project = Project(tmp_path_factory.mktemp("built") / "the project", sparsetool_dir, request.param)
    project.configure()
    project.build()
    return project


def test_the_command_and_the_package_are_those_of_the_wheel(environment: Path, sparsetool_dir: str) -> None:
    assert Path(sparsetool_dir).is_relative_to(environment)
    script = "import sparsetool, sparsetool_converters as c; print(sparsetool.__file__, c.__file__, sep='\\n')"
    places = called(environment / "bin" / "python", "-I", "-c", script).stdout.splitlines()
    assert [Path(place).is_relative_to(environment) for place in places] == [True, True]


def test_a_program_has_the_model_and_another_build_does_nothing(built: Project, environment: Path) -> None:
    assert f"-- sparsetool is {environment / 'bin' / 'sparsetool'}\n" in built.configure()
    built.build()
    assert built.prints() == sha256(built.artifact())
    assert built.artifact()[4:8] == b"TFL3"
    assert built.rests()


def test_a_changed_model_is_compiled_in(built: Project) -> None:
    before = built.prints()
    built.change_model(seed=2)
    said = built.build()
    assert COMPRESSING in said
    assert EMBEDDING in said
    assert built.prints() == sha256(built.artifact()) != before
    assert built.rests()


def test_changed_samples_make_another_model(built: Project) -> None:
    before = built.prints()
    built.change_samples(3.0)
    assert COMPRESSING in built.build()
    assert built.prints() == sha256(built.artifact()) != before
    assert built.rests()


def test_a_model_that_is_only_touched_ends_with_nothing_to_do(built: Project) -> None:
    before = built.prints()
    (built.folder / "keywords.tflite").touch()
    said = built.build()
    assert COMPRESSING in said
    assert built.prints() == before
    if built.generator == "Ninja":  # which sees that the output is what it was, and stops there
        assert (EMBEDDING in said, COMPILING in said) == (False, False)
    assert built.rests()


def test_a_budget_that_is_exceeded_fails_the_build_and_nothing_is_written(built: Project) -> None:
    before = {path: time for path, time in built.times().items() if "keywords" in path}
    built.change_model(seed=3, rows=480)
    for _ in range(2):  # it does not go unnoticed the second time
        done = built.try_to_build()
        assert done.returncode != 0
        assert "over the budget of 4,000" in done.stdout + done.stderr
        assert {path: built.times()[path] for path in before} == before
    built.change_model(seed=3)
    built.build()
    assert built.prints() == sha256(built.artifact())
    assert built.rests()


def test_a_first_build_over_its_budget_leaves_no_model(project: Project) -> None:
    project.configure("-DBUDGET=disk=1KB")
    done = project.try_to_build()
    assert done.returncode != 0
    assert "over the budget of 1,000" in done.stdout + done.stderr
    assert not [path for path in project.times() if Path(path).name.startswith("keywords")]


def test_models_of_targets_in_folders_with_blanks_and_for_cxx(project: Project) -> None:
    project.configure("-DMORE_MODELS=ON")
    project.build()
    packed = project.artifact("more/to send/gestures.tflz")
    assert project.prints("more/cxx-firmware") == sha256(packed)
    assert bytes(unpack(packed))[4:8] == project.artifact("more/again.tflite")[4:8] == b"TFL3"
    assert project.rests()
    assert "again" in (project.build_folder / "more" / "sizes.md").read_text()
    project.change_model(seed=2)
    project.build()
    changed = project.artifact("more/to send/gestures.tflz")
    assert project.prints("more/cxx-firmware") == sha256(changed) != sha256(packed)
    assert project.prints() == sha256(project.artifact())
    assert project.rests()
    baseline = project.folder / "more" / "sizes.json"
    baseline.write_text(baseline.read_text().replace("4000", "1000"))
    failed = project.try_to_build()
    assert failed.returncode != 0
    assert "error: again: " in failed.stdout + failed.stderr


def test_another_folder_gives_the_same_bytes(built: Project, sparsetool_dir: str, tmp_path: Path) -> None:
    other = Project(tmp_path / "elsewhere" / "it", sparsetool_dir, built.generator)
    for name in ("keywords.tflite", "samples.npy"):
        shutil.copyfile(built.folder / name, other.folder / name)
    other.configure()
    other.build()
    array = "keywords_model_data/keywords_model_data"
    for name in ("keywords.tflite", f"{array}.c", f"{array}.h"):
        assert built.artifact(name) == other.artifact(name)
