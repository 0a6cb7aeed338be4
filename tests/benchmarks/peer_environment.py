"""Python environments of their own for the peers that benchmarks compare with; the project never depends on a peer.

    python = peer_environment("nncodec", [["numpy==2.4.6"], ["--no-deps", "nncodec==2.1.3"]], program)

Each is made once, in `$XDG_CACHE_HOME/sparsetool/NAME-python3.x` or the same under `~/.cache`, from pip's own sources.
What is there:

    bin/python    run in isolated mode, with the peer's program
    complete      what was installed, written last; without it, or with anything else in it, all is made anew
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TIMEOUT_SECONDS = 1800  # of each step


class NoEnvironmentError(Exception):
    """A peer cannot be had on this machine; the message says why, in one line."""


def cache_folder() -> Path:
    """Where benchmarks keep what is worth keeping."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sparsetool"


def peer_environment(name: str, installs: Sequence[Sequence[str]], program: Path) -> Path:
    """The Python that has a peer, made now unless it is there complete.

    Args:
        name: of the peer.
        installs: arguments of `pip install`, one sequence for each call.
        program: what is to run there; without arguments it must load the peer and do nothing more.

    Raises:
        NoEnvironmentError: it cannot be made, or the program fails in it.
    """
    folder = cache_folder() / f"{name}-python{sys.version_info.major}.{sys.version_info.minor}"
    python, complete = folder / "bin" / "python", folder / "complete"
    installed = "\n".join(" ".join(arguments) for arguments in installs)
    try:
        if complete.is_file() and complete.read_text(encoding="utf-8") == installed:
            return python
        sys.stderr.write(f"Making an environment for {name} in {folder}\n")
        complete.unlink(missing_ok=True)
        _run(sys.executable, "-m", "venv", "--clear", folder)
        for arguments in installs:
            _run(python, "-I", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *arguments)
        _run(python, "-I", program)
        complete.write_text(installed, encoding="utf-8")
    except OSError as error:
        raise NoEnvironmentError(str(error)) from error
    return python


def _run(*command: str | Path) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, errors="replace", check=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise NoEnvironmentError(f"{' '.join(map(str, command))} took more than {TIMEOUT_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        lines = [line for line in (error.stdout + error.stderr).splitlines() if line.strip()]
        causes = [line for line in lines if line.lower().startswith("error")] or lines or [str(error)]
        raise NoEnvironmentError(f"{' '.join(map(str, command))}: {causes[-1].strip()}") from error
