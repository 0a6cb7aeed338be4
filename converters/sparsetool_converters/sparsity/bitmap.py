"""The pruned form of the micro runtime's decoder: which elements are stored, a bit each, then these elements.

Elements go in row-major order, eight to a byte, the first one in the highest bit. What is left out is the fill, which
is the bit pattern that the decoder writes for it: zero, or a quantized tensor's zero point.

    dense, fill 0        bitmap        values
    0 7 0 0 0 0 -1 0     0b01000010    7 -1
    5                    0b10000000    5

So does DecodeStatePrune read them, tflite-micro tensorflow/lite/micro/kernels/decode_state_prune.cc @ 90b983c.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.errors import EncodingError


@dataclass(frozen=True, kw_only=True, eq=False)
class Bitmap:
    """A tensor without its fill.

    Attributes:
        bits: uint8, ceil(elements / 8) bytes; the last byte's unused bits are 0.
        values: the stored elements in order, 1-D, in the tensor's dtype.
    """

    bits: npt.NDArray[np.uint8]
    values: npt.NDArray[Any]

    @property
    def nbytes(self) -> int:
        return self.bits.nbytes + self.values.nbytes


def encode_bitmap(array: npt.NDArray[Any], fill: npt.NDArray[Any]) -> Bitmap:
    """Leave out every element whose bits are those of the fill, so that -0.0 is stored and any NaN is kept as it is.

    Args:
        array: any shape, of 1, 2, 4 or 8 bytes an element.
        fill: of the same dtype, in a shape that broadcasts to the array's.
    """
    kept = bit_patterns(array) != bit_patterns(np.broadcast_to(fill, array.shape))
    return Bitmap(bits=np.packbits(kept), values=array[kept])


def decode_bitmap(bitmap: Bitmap, shape: tuple[int, ...], fill: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Put the elements back, the inverse of `encode_bitmap`.

    Raises:
        EncodingError: fewer bits or values than the shape needs, or more bytes of bits. More values are ignored, as
            the runtime does.
    """
    elements = math.prod(shape)
    if bitmap.bits.size != (elements + 7) // 8:
        raise EncodingError("", f"has a bitmap of {bitmap.bits.size:,} bytes for {elements:,} elements")
    kept = np.unpackbits(bitmap.bits, count=elements).astype(np.bool_).reshape(shape)
    count = int(np.count_nonzero(kept))
    if count > bitmap.values.size:
        raise EncodingError("", f"has {bitmap.values.size:,} values for {count:,} bits that are set")
    dense = np.array(np.broadcast_to(fill, shape))
    dense[kept] = bitmap.values[:count]
    return dense


def bit_patterns(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The elements as unsigned integers of the same width, so that equal means the same bits."""
    return np.ascontiguousarray(array).view(np.dtype(f"u{array.dtype.itemsize}")).reshape(array.shape)
