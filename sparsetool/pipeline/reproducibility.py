"""The proof that a result depends on its inputs alone: it is made again in other surroundings, and compared."""

import tempfile
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from sparsetool.pipeline.compress import stored_output
from sparsetool.pipeline.conversion_process import ConversionProcesses
from sparsetool.pipeline.request import Output, Request
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.model import Model, Tensor

STAGE = "check-reproducible"
# Whatever the surroundings here are, at least one of each differs there.
SURROUNDINGS = (
    {"PYTHONHASHSEED": "1", "TZ": "UTC+11", "LC_ALL": "C", "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"},
    {"PYTHONHASHSEED": "2", "TZ": "UTC-13", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "2", "TF_NUM_INTRAOP_THREADS": "2"},
)


@dataclass(frozen=True)
class MadeAgain:
    """Makes a result twice more, each time in a process of its own with another surroundings.

    Attributes:
        request: the same request, its samples read anew.
    """

    request: Request

    def __call__(self, output: Output) -> None:
        """Compare what is about to be written.

        Raises:
            VerificationError: another result came out.
            ProcessFailedError: none did.
        """
        processes = ConversionProcesses()
        request = replace(self.request, source=self.request.source.absolute())
        for environment in SURROUNDINGS:
            with tempfile.TemporaryDirectory(prefix="sparsetool-again-") as name:
                folder = Path(name)
                record = processes.convert(request, folder, environment=environment, working_folder=folder)
                _compare(output, stored_output(request, folder, record))


def _compare(output: Output, again: Output) -> None:
    if output.content == again.content:
        return
    pairs = enumerate(zip_longest(output.content, again.content))
    offset = next(place for place, (one, other) in pairs if one != other)
    raise VerificationError(
        STAGE,
        _first_tensor(output.model, again.model),
        f"made again from the same files, with other hash seed, time zone, locale, folder and number of threads, the "
        f"result differs from byte {offset:,} on ({len(output.content):,} and {len(again.content):,} bytes); samples "
        "that a function gives must be the same at each call",
    )


def _first_tensor(model: bytes, again: bytes) -> str:
    """Name of the first tensor whose constant, scales or place differ; empty if that cannot be told."""
    graphs = zip(Model.from_bytes(model).subgraphs, Model.from_bytes(again).subgraphs, strict=False)
    for one, other in graphs:
        for here, there in zip(one.tensors, other.tensors, strict=False):
            if here.info() != there.info() or _payload(here) != _payload(there):
                return here.name
    return ""


def _payload(tensor: Tensor) -> bytes | None:
    return None if tensor.buffer.data is None else tensor.buffer.data.tobytes()
