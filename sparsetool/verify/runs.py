"""How one run of a model on one kernel set ended: each way is a record, none is an exception."""

from dataclasses import dataclass
from typing import TypeAlias

from sparsetool_converters.targets import KernelSet
from sparsetool_converters.tensor_info import Array, TensorInfo


@dataclass(frozen=True, kw_only=True, eq=False)
class RunOutput:
    """One output of a finished run.

    Attributes:
        info: the output as the runtime describes it.
        values: stored values, never dequantized, [n_samples, *shape]; where the shape changes from sample to sample,
            [rows, last dimension] of all samples, or [values] if that differs, too.
        shapes: each sample's shape where they differ, else None.
    """

    info: TensorInfo
    values: Array
    shapes: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class FinishedRun:
    """The model answered every sample.

    Attributes:
        kernel_set: the kernels that ran.
        inputs: the model's inputs, in the model's order.
        outputs: the model's outputs, in the model's order.
        n_samples: how many samples were run, one after the other.
        signature: the signature that was called; empty where the model was run as a whole.
        arena_bytes: what the micro runtime's arena held; None on LiteRT, which has none.
    """

    kernel_set: KernelSet
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[RunOutput, ...]
    n_samples: int
    signature: str = ""
    arena_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class FailedRun:
    """The runtime refused the model with an error.

    Attributes:
        kernel_set: the kernels that ran.
        step: "load", "allocate", "sample <index>" or "exit".
        message: the runtime's own words, on one line.
    """

    kernel_set: KernelSet
    step: str
    message: str

    @property
    def problem(self) -> str:
        """One clause for an error message."""
        return f"failed at {self.step}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class CrashedRun:
    """The process was ended by a signal.

    Attributes:
        kernel_set: the kernels that ran.
        step: "load", "allocate", "sample <index>" or "exit".
        signal_name: such as "SIGSEGV".
        last_words: the last lines that the runtime wrote to stderr, on one line; may be empty.
    """

    kernel_set: KernelSet
    step: str
    signal_name: str
    last_words: str

    @property
    def problem(self) -> str:
        """One clause for an error message."""
        words = f" (last words: {self.last_words})" if self.last_words else ""
        return f"crashed with {self.signal_name} at {self.step}{words}"


@dataclass(frozen=True, kw_only=True)
class TimedOutRun:
    """The run took longer than it may and was ended.

    Attributes:
        kernel_set: the kernels that ran.
        step: "load", "allocate", "sample <index>" or "exit".
        timeout_s: seconds of wall clock that were allowed.
    """

    kernel_set: KernelSet
    step: str
    timeout_s: float

    @property
    def problem(self) -> str:
        """One clause for an error message."""
        return f"did not end within {self.timeout_s:g} s, at {self.step}; give it more time or fewer samples"


Run: TypeAlias = FinishedRun | FailedRun | CrashedRun | TimedOutRun
