"""Values of kept units: to and from bytes as they are, planes of bytes, and lists."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from sparsetool_converters.codec.errors import require
from sparsetool_converters.codec.regions import LIST_LIMIT, Coding

Bytes = npt.NDArray[np.uint8]
Elements = npt.NDArray[np.unsignedinteger]


def to_streams(elements: Elements, coding: Coding) -> list[Bytes] | None:
    """The contents of the value streams; None if the elements are too many different ones for a list.

    Args:
        elements: unsigned integers, 1-D, as many as are kept, in the order in which they are sent.
        coding: how to send them.
    """
    if coding is Coding.PLAIN:
        return [elements.view(np.uint8)]
    if coding is Coding.LIST:
        sample = np.unique(elements[: 2**14])
        if sample.size > LIST_LIMIT:
            return None
        entries, choices = np.unique(elements, return_inverse=True)
        return None if entries.size > LIST_LIMIT else [entries.view(np.uint8), choices.astype(np.uint8)]
    if coding is Coding.TURNED:
        elements = turned_left(elements)
    planes = elements.view(np.uint8).reshape(-1, elements.itemsize)
    return [np.ascontiguousarray(planes[:, number]) for number in range(elements.itemsize)]


def from_streams(
    contents: Sequence[Callable[[], Bytes]], coding: Coding, element_bytes: int, elements: int
) -> Elements:
    """What `to_streams` was given. Each content is asked for when it is its turn, and let go before the next.

    Args:
        contents: give the contents of the value streams, whose sizes are right.
        coding: how they were sent.
        element_bytes: bytes of an element.
        elements: how many there are.

    Returns:
        Unsigned integers, shape (elements,).

    Raises:
        WireFormatError: a choice that is not in the list.
    """
    dtype = np.dtype(f"<u{element_bytes}")
    if elements == 0:
        return np.zeros(0, dtype)
    if coding is Coding.PLAIN:
        return contents[0]().view(dtype)
    if coding is Coding.LIST:
        entries, choices = contents[0]().view(dtype), contents[1]()
        require(int(choices.max()) < entries.size, f"element {int(choices.max())} is not in a list of {entries.size}")
        return entries[choices]
    out = np.empty(elements, dtype)
    planes = out.view(np.uint8).reshape(elements, element_bytes)
    for number, content in enumerate(contents):
        planes[:, number] = content()
    if coding is Coding.TURNED:
        turn_right(out)
    return out


def turned_left(elements: Elements) -> Elements:
    """Each element turned by one bit: the top bit goes to the lowest place."""
    top = elements.dtype.type(8 * elements.itemsize - 1)
    return np.asarray((elements << elements.dtype.type(1)) | (elements >> top))


def turn_right(elements: Elements) -> None:
    """Undo `turned_left`, in place."""
    one, top = elements.dtype.type(1), elements.dtype.type(8 * elements.itemsize - 1)
    for begin in range(0, elements.size, 2**17):
        part = elements[begin : begin + 2**17]
        lowest = part << top
        part >>= one
        part |= lowest
