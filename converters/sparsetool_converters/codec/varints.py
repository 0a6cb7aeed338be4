"""Unsigned LEB128 numbers below 2**64, read with bounds."""

from sparsetool_converters.codec.errors import require

MOST_BYTES = 10


def varint(number: int) -> bytes:
    """The shortest form of a number."""
    out = bytearray()
    while number > 0x7F:
        out.append(0x80 | number & 0x7F)
        number >>= 7
    return bytes([*out, number])


class VarintReader:
    """Numbers one behind the other."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def __call__(self) -> int:
        """The next number.

        Raises:
            WireFormatError: the bytes end before it does, or it is 2**64 or more.
        """
        number = 0
        for shift in range(0, 7 * MOST_BYTES, 7):
            require(self._at < len(self._data), "the directory ends inside a number")
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                require(number < 2**64, "a number of the directory is 2**64 or more")
                return number
        require(False, f"a number of the directory has more than {MOST_BYTES} bytes")
        raise AssertionError

    @property
    def left(self) -> int:
        """Bytes behind the last number."""
        return len(self._data) - self._at
