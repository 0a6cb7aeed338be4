"""What nncodec takes for integer tensors when nothing may be lost, in an environment of its own.

    nncodec_bytes(tensors, folder)

nncodec is no dependency of the project: its releases ask for a numpy and a torchvision that no current torch goes
with. So it is installed without what it asks for, and what its modules import beside torch, numpy and h5py are
stand-ins, which its coder never calls. The environment takes 1 GB or more, and a C++ compiler; this file is also the
program that runs in it.
"""

import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import numpy.typing as npt

NEEDED = ("torch==2.13.0", "numpy==2.4.6", "h5py==3.16.0")
NNCODEC = "nncodec==2.1.3"
STANDS_IN = ("cv2", "pandas", "sklearn", "sklearn.metrics", "torchvision", "tqdm")

Array = npt.NDArray[np.integer[Any]]


def nncodec_bytes(tensors: Sequence[Array], folder: Path) -> int:
    """Their sizes in nncodec's streams, added up; each is the smallest that its lossless settings give.

    Args:
        tensors: integers of at most 32 bits, of any shape.
        folder: where they are handed over.

    Raises:
        NoEnvironmentError: nncodec cannot be had on this machine.
        subprocess.CalledProcessError: nncodec fails, or gives other values back; stderr says which.
    """
    from peer_environment import peer_environment  # not where this file is the program

    python = peer_environment("nncodec", (NEEDED, ("--no-deps", NNCODEC)), Path(__file__))
    handed_over = folder / "tensors.npz"
    np.savez(handed_over, *tensors)
    done = subprocess.run([python, "-I", __file__, handed_over], stdout=subprocess.PIPE, text=True, check=True)
    return sum(json.loads(done.stdout))


def _coder() -> Any:
    """nncodec's coder of single tensors; only the environment has it."""
    importlib.import_module("torch")  # before the stand-ins, of which it would take tqdm for the real one
    sys.modules.update({name: MagicMock() for name in STANDS_IN})
    return importlib.import_module("nncodec.tensor")


def _sizes(coder: Any, values: Array, folder: str) -> Iterator[int]:
    """Of a tensor as it is stored and turned, with and without marks for rows of zeros.

    Of integers nncodec quantizes nothing; its other settings change nothing, or cost bytes.

    Raises:
        AssertionError: other values came back.
    """
    turned = np.ascontiguousarray(values.reshape(len(values), -1).T)
    for laid_out in (values, turned):
        for row_skipping in (False, True):
            stream = coder.encode(laid_out, {"row_skipping": row_skipping, "results": folder})
            if not np.array_equal(coder.decode(stream), laid_out):
                raise AssertionError("other values came back")
            yield len(stream)


def main(handed_over: str | None = None) -> None:
    """In the environment: print each tensor's size as JSON; without tensors, see that nncodec loads."""
    coder = _coder()
    if handed_over is not None:
        with np.load(handed_over) as tensors, tempfile.TemporaryDirectory() as folder:
            least = [min(_sizes(coder, tensors[name], folder)) for name in tensors.files]
        sys.stdout.write(json.dumps(least))


if __name__ == "__main__":
    main(*sys.argv[1:])
