"""What the runtime says of a model's input or output, and the arithmetic of its quantization."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """An input or output as the interpreter describes it before any resizing.

    Attributes:
        name: the tensor's name in the file.
        signature_name: its name in the signature, empty where the model has none.
        shape: the shape the file gives; an unknown dimension is 1 here.
        shape_signature: the same with -1 for every dimension that may be resized.
        dtype: numpy's name of the element type; "bytes" for strings.
        scale: real value of one step of a tensor quantized as a whole; 0.0 where it is not.
        zero_point: the stored value that stands for 0.0.
    """

    name: str
    signature_name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    @property
    def is_quantized(self) -> bool:
        """Whether stored integers stand for real values by one scale and one zero point."""
        return self.scale != 0.0 and np.dtype(self.dtype).kind in "iu"

    @property
    def quantization(self) -> tuple[str, float, int]:
        """Equal for two tensors whose stored values mean the same."""
        return self.dtype, self.scale, self.zero_point

    def quantize(self, values: npt.NDArray[np.floating]) -> Array:
        """Returns the stored values nearest to real `values`, saturated to the range of `dtype`."""
        limits = np.iinfo(self.dtype)
        steps = np.rint(values.astype(np.float64) / self.scale) + self.zero_point
        stored: Array = np.clip(steps, limits.min, limits.max).astype(self.dtype)
        return stored

    def dequantize(self, stored: Array) -> npt.NDArray[np.float64]:
        """Returns the real values that `stored` stands for; plain numbers stand for themselves."""
        values = stored.astype(np.float64)
        return (values - self.zero_point) * self.scale if self.is_quantized else values
