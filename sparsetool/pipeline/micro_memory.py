"""What a model that is stored for the micro runtime takes of a microcontroller, beside its dense twin."""

import tempfile
from pathlib import Path

from sparsetool.report.inspection import MicroMemory
from sparsetool.verify import FinishedRun, KernelSet, RandomSamples, micro_runtime_installed, run_model
from sparsetool_converters.model import Model
from sparsetool_converters.model.decode_operator import has_decode
from sparsetool_converters.passes import Densify
from sparsetool_converters.passes.decode_operators import decoded_tensors

TIMEOUT_S = 600.0


def micro_memory(data: bytes, *, name: str) -> MicroMemory | None:
    """Measure flash and arena, the latter by running both models on one random sample.

    Args:
        data: bytes of a .tflite.
        name: what to call it in errors.

    Returns:
        None for a model without TFLM_DECODE. Without the micro runtime, or where it does not run the model, the arenas
        are unknown.

    Raises:
        ModelFormatError, EncodingError: what TFLM_DECODE is to unpack is damaged.
    """
    model = Model.from_bytes(data, where=name)
    if not has_decode(model):
        return None
    decoded_bytes = sum(constant.output.array_bytes for constant in decoded_tensors(model))
    Densify()(model)
    dense = model.to_bytes()
    arenas = [arena_bytes(m) for m in (data, dense)] if micro_runtime_installed() else [None, None]
    return MicroMemory(
        flash_bytes=len(data),
        dense_flash_bytes=len(dense),
        decoded_bytes=decoded_bytes,
        arena_bytes=arenas[0],
        dense_arena_bytes=arenas[1],
    )


def arena_bytes(model: bytes) -> int | None:
    """What the micro runtime's arena holds for a model; None where it does not run."""
    with tempfile.TemporaryDirectory(prefix="sparsetool-model-") as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(model)
        run = run_model(path, RandomSamples(n_samples=1), KernelSet.MICRO, timeout_s=TIMEOUT_S)
    return run.arena_bytes if isinstance(run, FinishedRun) else None
