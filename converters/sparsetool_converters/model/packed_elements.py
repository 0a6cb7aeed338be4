"""Elements under a byte, as TFLite packs them: the first element in the lowest bits.

    values    1 -2 3        bits 4
    bytes     0xe1 0x03     (low nibble 1, high nibble -2; then 3 and nothing)

The order is that of `UnpackPackedIntToInt8`, tflite/kernels/internal/portable_tensor_utils.cc @ f677574.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.errors import EncodingError


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How elements under a byte are stored.

    Attributes:
        bits: bits of an element, 2 or 4.
        signed: whether they are two's complement.
    """

    bits: int
    signed: bool

    @property
    def per_byte(self) -> int:
        return 8 // self.bits

    @property
    def dtype(self) -> np.dtype[Any]:
        """numpy's type for one element with a byte of its own."""
        return np.dtype(np.int8 if self.signed else np.uint8)

    def nbytes(self, elements: int) -> int:
        """Bytes that so many elements take."""
        return -(-elements // self.per_byte)

    def unpack(self, payload: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """All elements of a payload, those that only fill its last byte included.

        Args:
            payload: uint8, 1-D.

        Returns:
            int8 or uint8, shape (payload.size * per_byte,).
        """
        unpacked = np.empty((payload.size, self.per_byte), np.uint8)
        for place in range(self.per_byte):
            # To the top of the byte, which drops what is above, and down again, which brings the sign.
            np.left_shift(payload, 8 - self.bits * (place + 1), out=unpacked[:, place])
        values = unpacked.reshape(-1).view(self.dtype)
        values >>= 8 - self.bits
        return values

    def pack(self, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """The payload of an array; what fills the last byte is 0.

        Args:
            values: integers of any shape.

        Raises:
            EncodingError: a value needs more bits.
        """
        lowest, highest = (
            (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1) if self.signed else (0, 2**self.bits - 1)
        )
        found = (int(values.min(initial=0)), int(values.max(initial=0)))
        if found[0] < lowest or found[1] > highest:
            raise EncodingError(
                "",
                f"elements of {self.bits} bits hold {lowest} to {highest}, not values from {found[0]} to {found[1]}",
            )
        elements = values.reshape(-1).astype(self.dtype, copy=False).view(np.uint8)
        payload = np.zeros(self.nbytes(values.size), np.uint8)
        for place in range(self.per_byte):
            there = elements[place :: self.per_byte] & (2**self.bits - 1)
            payload[: there.size] |= there << (self.bits * place)
        return payload
