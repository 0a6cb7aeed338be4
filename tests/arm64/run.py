"""Run what is to be run on ARM64, on each emulated processor: `make test-arm64`.

Exit codes: 0 all passed; 77 there is no environment for it on this host; 1 otherwise.
"""

import os
import subprocess
import sys

import environment
from debian_packages import NoEnvironmentError

REPOSITORY = environment.PYPROJECT.parent
COMMANDS = [
    ["-m", "pytest", "-p", "no:cacheprovider", "tests/arm64"],
    ["-m", "sparsetool", "targets", "check"],
]


def main() -> int:
    """Sets the environment up and runs every command on every processor, whatever the others did."""
    try:
        folder = environment.default_folder()
        environment.set_up(folder)
    except (NoEnvironmentError, OSError) as error:
        return environment.give_up(error)
    sources = os.pathsep.join(str(REPOSITORY / root) for root in (".", "converters"))
    failures = 0
    for cpu in environment.CPUS:
        for command in COMMANDS:
            sys.stdout.write(f"{cpu}: python {' '.join(command)}\n")
            sys.stdout.flush()
            python = str(environment.python_of(folder, cpu))
            environ = {**os.environ, "PYTHONPATH": sources}
            failures += subprocess.run([python, *command], cwd=REPOSITORY, env=environ, check=False).returncode != 0
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
