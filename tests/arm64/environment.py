"""Bring an emulated ARM64 Python with this project's own dependencies, for machines that are no phones.

    python tests/arm64/environment.py [DIR]      prints the folder, and progress on stderr

It asks no root, changes nothing on the host, and takes everything from the package sources that apt and pip have
already: qemu-user, a Debian arm64 Python with its libraries, and aarch64 wheels of the versions that the Python
running this has installed. About 120 MB are downloaded and 200 MB kept, by default in
`$XDG_CACHE_HOME/sparsetool/arm64-<key>`, or the same under `~/.cache`. What is there:

    cortex-a53/python-arm64    run these as any Python; child processes of theirs are emulated as well
    cortex-a76/python-arm64
    complete                   written last; without it all is made anew

Exit codes: 0 it is there; 77 it cannot be had on this host; 1 the same where SPARSETOOL_REQUIRE_ARM64 is 1.
"""

import argparse
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from debian_packages import NoEnvironmentError, Packages, run_command

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
TEST_RUNNER = "pytest"
RUNTIME = "ai-edge-litert"
NO_ENVIRONMENT = 77  # what test runners take for "skipped"

# Named, since qemu 7.2 computes some int8 products wrong as `max`. The features are what /proc/cpuinfo shows on such
# a processor: the first has no dot product instructions, the second has them.
_ARMV8 = "fp asimd evtstrm aes pmull sha1 sha2 crc32"
CPUS = {
    "cortex-a53": (f"{_ARMV8} cpuid", "0xd03"),
    "cortex-a76": (f"{_ARMV8} atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp", "0xd0b"),
}

# Until 12 the static programs are in the first package; from 13 on they are in the second.
_QEMU_PACKAGES = ("qemu-user-static", "qemu-user")
_WHEEL_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")


def default_folder() -> Path:
    """Where the environment is kept unless told otherwise; another one for other versions."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "sparsetool" / f"arm64-{_key()}"


def python_of(folder: Path, cpu: str) -> Path:
    """The program that runs Python as on this processor."""
    return folder / cpu / "python-arm64"


def set_up(folder: Path) -> None:
    """Make the environment in a folder, unless it is there complete and of the right versions.

    Raises:
        NoEnvironmentError: it cannot be had on this host.
    """
    complete = folder / "complete"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.is_file() and complete.read_text(encoding="utf-8") == _key():
            return
        _check_host()
        complete.unlink(missing_ok=True)
        for part in ("apt", "sysroot", *CPUS):
            shutil.rmtree(folder / part, ignore_errors=True)
        _tell(f"Making an ARM64 environment in {folder}: about 120 MB to download")
        _tell("  package lists")
        packages = Packages(folder / "apt")
        minor = packages.python_minor()
        _tell(f"  qemu-user for {packages.host}")
        _install_qemu(packages, folder)
        sysroot = folder / "sysroot"
        _tell(f"  Python {minor} for arm64")
        for package in packages.download_closure(f"python{minor}-minimal", f"libpython{minor}-stdlib", "libstdc++6"):
            run_command("dpkg-deb", "-x", str(package), str(sysroot))
        shutil.rmtree(folder / "apt")
        _tell(f"  aarch64 wheels: {', '.join(_requirements())}")
        _install_wheels(minor, sysroot, folder)
        for cpu in CPUS:
            _tell(f"  {cpu}")
            _write_cpu(folder, cpu, minor)
            _check_version(python_of(folder, cpu))
        complete.write_text(_key(), encoding="utf-8")


def _key() -> str:
    """Changes with whatever the environment is made from that this side can know."""
    recipe = [Path(__file__), Path(__file__).with_name("debian_packages.py")]
    parts = [*(path.read_text(encoding="utf-8") for path in recipe), *_requirements()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _requirements() -> list[str]:
    """What the project needs and what runs its tests, of the very versions installed here."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in project["dependencies"]]
    return [f"{name}=={_installed_version(name)}" for name in [*names, TEST_RUNNER]]


def _installed_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise NoEnvironmentError(f"{name} is not installed for {sys.executable}; run `make test-arm64`") from error


def _check_host() -> None:
    missing = [program for program in ("apt-get", "apt-cache", "dpkg", "dpkg-deb") if shutil.which(program) is None]
    if missing:
        raise NoEnvironmentError(f"{missing[0]} is not there, and the parts are Debian packages: use a Debian host")
    if importlib.util.find_spec("pip") is None:
        raise NoEnvironmentError(f"{sys.executable} has no pip to bring aarch64 wheels with: install it there")


def _install_qemu(packages: Packages, folder: Path) -> None:
    """Puts the one program for aarch64 at `folder / "qemu-aarch64"`."""
    problem = "they hold none"
    for name in _QEMU_PACKAGES:
        unpacked = packages.folder / name
        try:
            run_command("dpkg-deb", "-x", str(packages.download(name)), str(unpacked))
        except NoEnvironmentError as error:
            problem = str(error)
            continue
        for program in (unpacked / "usr" / "bin" / f"qemu-aarch64{suffix}" for suffix in ("-static", "")):
            if program.is_file() and not program.is_symlink():
                shutil.move(program, folder / "qemu-aarch64")
                return
    raise NoEnvironmentError(f"no qemu-aarch64 from {' or '.join(_QEMU_PACKAGES)}: {problem}")


def _install_wheels(minor: str, sysroot: Path, folder: Path) -> None:
    """Puts wheels where Debian's Python looks for modules; what they depend on has this host's versions, too."""
    installed: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():  # in the order of sys.path, so the first is the one in use
        installed.setdefault(re.sub(r"[-_.]+", "-", distribution.name).lower(), distribution.version)
    constraints = folder / "constraints.txt"
    lines = [f"{name}=={version}\n" for name, version in sorted(installed.items())]
    constraints.write_text("".join(lines), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(sysroot / "usr" / "lib" / "python3" / "dist-packages"), "--only-binary=:all:"]
    command += ["--implementation", "cp", "--python-version", minor, "--constraint", str(constraints)]
    command += [word for platform in _WHEEL_PLATFORMS for word in ("--platform", platform)]
    command += [word for abi in (f"cp{minor.replace('.', '')}", "abi3", "none") for word in ("--abi", abi)]
    run_command(*command, *_requirements())


def _write_cpu(folder: Path, cpu: str, minor: str) -> None:
    """Writes the processor's wrapper, and a root of its own for what programs read of the machine.

    qemu 7.2 shows the host's /proc/cpuinfo, on which the runtime crashes, and on another processor's it would choose
    instructions that this one lacks.
    """
    root = folder / cpu / "root"
    (root / "proc").mkdir(parents=True)
    for part in (folder / "sysroot").iterdir():
        (root / part.name).symlink_to(Path("..", "..", "sysroot", part.name))
    features, part_number = CPUS[cpu]
    cores = (
        f"processor\t: {core}\nBogoMIPS\t: 100.00\nFeatures\t: {features}\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {part_number}\nCPU revision\t: 4\n\n"
        for core in range(2)
    )
    (root / "proc" / "cpuinfo").write_text("".join(cores), encoding="utf-8")
    wrapper = python_of(folder, cpu)
    # -0 makes the wrapper sys.executable, so that child processes need no support of the kernel for foreign programs.
    usr = folder / "sysroot" / "usr"
    command = [folder / "qemu-aarch64", "-cpu", cpu, "-L", root, "-0", wrapper]
    command += ["-E", f"PYTHONHOME={usr}", "-E", "PYTHONNOUSERSITE=1", usr / "bin" / f"python{minor}"]
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)


def _check_version(python: Path) -> None:
    code = "import importlib.metadata as m, ai_edge_litert.interpreter, numpy, platform as p, sys\n"
    code += "print(p.machine(), m.version(sys.argv[1]))"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = run_command(str(python), "-c", code, RUNTIME, environ=environ).strip()
    wanted = f"aarch64 {_installed_version(RUNTIME)}"
    if found != wanted:
        raise NoEnvironmentError(f"{python} has {RUNTIME} for {found}, and needs {wanted}")


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def give_up(error: Exception) -> int:
    """Says why there is no environment, in one line, and returns the exit code for that."""
    _tell(f"No ARM64 environment: {error}")
    return 1 if os.environ.get("SPARSETOOL_REQUIRE_ARM64") == "1" else NO_ENVIRONMENT


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the environment and prints its folder."""
    parser = argparse.ArgumentParser(description="Bring an emulated ARM64 Python with this project's dependencies.")
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="where to; by default in the user's cache")
    options = parser.parse_args(arguments)
    try:
        folder = (options.folder or default_folder()).absolute()
        set_up(folder)
    except (NoEnvironmentError, OSError) as error:
        return give_up(error)
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
