"""Runs TFMOT's side of a comparison in an environment of its own, which takes 2 GB of disk."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from peer_environment import peer_environment

TFMOT = "tensorflow-model-optimization==0.8.1"
INSTALLED = (TFMOT, "tensorflow==2.21.0", "tf_keras==2.21.0", "numpy==2.4.6", "setuptools==80.9.0")
PROGRAM = Path(__file__).with_name("tfmot_peer.py")


def run_tfmot(command: str, folder: Path) -> None:
    """Have TFMOT's side do one thing with what lies in the folder.

    Raises:
        NoEnvironmentError: TFMOT cannot be had on this machine.
        subprocess.CalledProcessError: it failed; stderr says why.
    """
    subprocess.run(_command(command, folder), check=True)


class Turns:
    """TFMOT's side, waiting for its turn."""

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._orders, self._answers = orders, answers

    def seconds(self, order: Mapping[str, object]) -> float:
        """Have it take a turn, and return how long that took.

        Raises:
            EOFError: it failed; stderr says why.
        """
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()
        answer = self._answers.readline()
        if not answer:
            raise EOFError(f"{TFMOT} stopped at {order}")
        return float(answer)


@contextmanager
def tfmot_turns(folder: Path) -> Iterator[Turns]:
    """TFMOT's side, ready with what lies in the folder; it runs only while a turn of it is waited for.

    Raises:
        NoEnvironmentError: TFMOT cannot be had on this machine.
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(_command("turns", folder), text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Turns(process.stdin, process.stdout)
        finally:
            process.stdin.close()  # its last line: it ends


def _command(command: str, folder: Path) -> list[str]:
    python = peer_environment("tfmot", [INSTALLED], PROGRAM)
    return [str(python), "-I", str(PROGRAM), command, str(folder)]
