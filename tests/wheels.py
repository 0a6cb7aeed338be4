"""The wheel, as it is built of this repository and installed."""

import subprocess
import sys
import sysconfig
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def built_wheel(folder: Path) -> Path:
    """Build the wheel into a folder."""
    command = [*PIP, "wheel", "--no-deps", "--wheel-dir", str(folder), str(REPOSITORY)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    (path,) = folder.glob("*.whl")
    return path


def environment_with(wheel: Path, folder: Path) -> Path:
    """A virtual environment with the wheel in it, and what the wheel depends on where this Python has it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [*PIP[:3], "--python", str(python), *PIP[3:], "install", "--no-deps", str(wheel)]
    subprocess.run(install, check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # .pth files in there are not read, so the repository's own packages stay out
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return folder
