"""Whether the micro runtime is there, without loading it."""

from collections.abc import Sequence
from importlib.util import find_spec

from sparsetool_converters.errors import MissingExtraError
from sparsetool_converters.targets import KernelSet

EXTRA = "tflm"


def micro_runtime_installed() -> bool:
    return find_spec("tflite_micro") is not None


def require_runtime(kernel_sets: Sequence[KernelSet]) -> None:
    """Raise MissingExtraError if these kernel sets are those of the micro runtime, and it is not installed."""
    if KernelSet.MICRO in kernel_sets and not micro_runtime_installed():
        raise MissingExtraError("tflite-micro (Linux on x86-64 only)", EXTRA)
