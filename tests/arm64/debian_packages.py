"""Bring Debian packages of two architectures with apt's own sources, and leave the host's lists and packages alone."""

import re
import subprocess
from pathlib import Path

COMMAND_SECONDS = 600

# Read after the host's own configuration, whose package sources and proxies stay. Its hooks are for its own lists.
_APT_CONFIGURATION = """\
#clear APT::Architectures;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; "{host}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
"""


class NoEnvironmentError(Exception):
    """The environment cannot be had here."""


def run_command(
    *command: str, folder: Path | None = None, environ: dict[str, str] | None = None, may_fail: bool = False
) -> str:
    """Runs a command and returns its stdout.

    Raises:
        NoEnvironmentError: it failed, in the words of its first line of errors, or took too long.
    """
    name = " ".join([Path(command[0]).name, *[word for word in command[1:] if word.isalpha()][:2]])
    try:
        finished = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NoEnvironmentError(f"{name} took over {COMMAND_SECONDS} s") from error
    if finished.returncode != 0 and not may_fail:
        lines = finished.stderr.strip().splitlines() or [f"exit code {finished.returncode}"]
        errors = [line for line in lines if line.lower().startswith(("e:", "error:"))]
        raise NoEnvironmentError(f"{name}: {errors[0] if errors else lines[-1]}")
    return finished.stdout


class Packages:
    """Debian packages for arm64 and for the host, by apt with lists and a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.host = folder, run_command("dpkg", "--print-architecture").strip()
        for part in ("state/lists/partial", "cache/archives/partial", "log"):
            (folder / part).mkdir(parents=True)
        (folder / "state" / "status").touch()  # nothing is installed
        (folder / "apt.conf").write_text(_APT_CONFIGURATION.format(host=self.host), encoding="utf-8")
        self._apt("apt-get", "--quiet", "update", may_fail=True)  # one bad source of many is no matter yet

    def python_minor(self) -> str:
        """The minor version of Debian's own Python, such as "3.11"."""
        try:
            shown = self._apt("apt-cache", "show", "python3-minimal:arm64")
        except NoEnvironmentError as error:
            raise NoEnvironmentError(
                f"apt's package sources offer nothing for arm64, or are out of reach ({error})"
            ) from error
        versions = re.findall(r"^Version: (\d+\.\d+)", shown, re.MULTILINE)
        if not versions:
            raise NoEnvironmentError("apt's package sources offer no Python for arm64")
        return str(versions[0])

    def download(self, name: str) -> Path:
        """Brings one package of the host's architecture."""
        before = set(self.folder.glob("*.deb"))
        self._apt("apt-get", "--quiet", "download", f"{name}:{self.host}")
        (package,) = set(self.folder.glob("*.deb")) - before
        return package

    def download_closure(self, *names: str) -> list[Path]:
        """Brings arm64 packages with all that they depend on."""
        wanted = [f"{name}:arm64" for name in names]
        self._apt("apt-get", "--quiet", "--yes", "--download-only", "install", *wanted)
        return sorted((self.folder / "cache" / "archives").glob("*.deb"))

    def _apt(self, program: str, *arguments: str, may_fail: bool = False) -> str:
        places = {
            "Dir::State": "state",
            "Dir::State::status": "state/status",
            "Dir::Cache": "cache",
            "Dir::Cache::archives": "cache/archives",
            "Dir::Log": "log",
        }
        options = [option for key, place in places.items() for option in ("-o", f"{key}={self.folder / place}")]
        configuration = ["-c", str(self.folder / "apt.conf")]
        return run_command(program, *configuration, *options, *arguments, folder=self.folder, may_fail=may_fail)
