"""RAM of a model, for limits on it."""

import sys
import tempfile
from pathlib import Path

from sparsetool.bench import Contestant, Setup, resident_growth
from sparsetool.pipeline.micro_memory import arena_bytes
from sparsetool.verify import micro_runtime_installed
from sparsetool_converters.errors import MissingExtraError, TargetError, UsageError
from sparsetool_converters.model import Model
from sparsetool_converters.model.decode_operator import has_decode
from sparsetool_converters.samples import RandomSamples
from sparsetool_converters.targets import KernelSet

TIMEOUT_S = 600.0


def resident_bytes(model: bytes, *, name: str) -> int:
    """Bytes of RAM after the first inference; of a model that is stored for the micro runtime, those of its arena.

    Args:
        model: bytes of the `.tflite`.
        name: what to call it in errors.

    Raises:
        UsageError: this is not Linux.
        TargetError, VerificationError: the model does not run.
    """
    if has_decode(Model.from_bytes(model, where=name)):
        if not micro_runtime_installed():
            raise MissingExtraError("tflite-micro", "tflm")
        arena = arena_bytes(model)
        if arena is None:
            raise TargetError("tflm", f"{name} does not run, so its arena is unknown")
        return arena
    if sys.platform != "linux":
        raise UsageError(
            f"resident memory is read as Linux tells it; this is {sys.platform}; leave out the limit on ram"
        )
    setup = Setup(kernel_set=KernelSet.DEFAULT, threads=1, timeout_s=TIMEOUT_S)
    with tempfile.TemporaryDirectory(prefix="sparsetool-model-") as folder:
        return resident_growth(
            Contestant(name=name, model=model), samples=RandomSamples(n_samples=1), setup=setup, folder=Path(folder)
        )
