"""Zstandard frames, each with its content size and checksum."""

from collections.abc import Iterable
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from sparsetool_converters.codec.errors import WireFormatError, require

WINDOW_BYTES = 2**23  # of level 19, and all that a decoder must have
SMALLEST, QUICKEST = 19, 1  # levels; 20 to 22 ask the receiver for more memory
_AT_ONCE_BYTES = 2**25


class Effort(Enum):
    """How much time packing may take."""

    SMALL = "small"
    FAST = "fast"


def frame(content: npt.NDArray[np.uint8] | memoryview | bytes, level: int) -> bytes:
    """The content as one frame, nothing if it is empty. One thread, fixed parameters: the same bytes every time."""
    if len(content) == 0:
        return b""
    return compressor(level).compress(content)  # type: ignore[arg-type]  # takes any buffer


def compressor(level: int) -> zstandard.ZstdCompressor:
    """What makes all frames."""
    return zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)


def content_size(data: bytes | memoryview) -> int:
    """The size of a frame's content, 0 where there is no frame.

    Raises:
        WireFormatError: not a frame of the kind that the format has.
    """
    if len(data) == 0:
        return 0
    try:
        parameters: Any = zstandard.get_frame_parameters(data)
    except zstandard.ZstdError as problem:
        raise WireFormatError("container", f"has a frame that is none ({problem})") from problem
    require(
        0 < parameters.content_size < zstandard.CONTENTSIZE_ERROR and parameters.has_checksum,
        "has a frame without content size, content or checksum",
    )
    require(parameters.dict_id == 0, "has a frame with a dictionary")
    require(
        parameters.window_size <= WINDOW_BYTES,
        f"has a frame with a window of {parameters.window_size:,} bytes, more than {WINDOW_BYTES:,}",
    )
    return int(parameters.content_size)


def content(data: bytes | memoryview, size: int) -> npt.NDArray[np.uint8]:
    """The content of a frame whose `content_size` was looked at.

    Raises:
        WireFormatError: the frame is damaged, or other bytes follow it.
    """
    if size == 0:
        return np.zeros(0, np.uint8)
    try:
        decompressor = zstandard.ZstdDecompressor()
        found = decompressor.decompress(data, read_across_frames=False, allow_extra_data=False)
    except zstandard.ZstdError as problem:
        raise WireFormatError("container", f"has a damaged frame ({problem})") from problem
    require(len(found) == size, f"has a frame of {len(found):,} bytes that declares {size:,}")
    return np.frombuffer(found, np.uint8)


def fill(pieces: Iterable[memoryview], data: bytes | memoryview, size: int) -> None:
    """Unpack a frame into pieces of memory, one behind the other, which are `size` bytes together.

    Long contents come in parts, so that there is never a second copy of them. Of those, zstd's own checksum is not
    asked for when the frame lacks it; the checksum of the whole output is behind it.

    Raises:
        WireFormatError: the frame is damaged, or other bytes follow it.
    """
    if size <= _AT_ONCE_BYTES:
        whole, at = content(data, size).data, 0
        for piece in pieces:
            piece[:] = whole[at : at + len(piece)]
            at += len(piece)
        return
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
    try:
        with decompressor.stream_reader(data, read_size=2**17) as reader:
            for piece in pieces:
                done = 0
                while done < len(piece):
                    read = reader.readinto(piece[done:])
                    require(read > 0, "has a frame that is cut off")
                    done += read
            require(reader.read(1) == b"", "has a frame that is longer than its content size")
    except zstandard.ZstdError as problem:
        raise WireFormatError("container", f"has a damaged frame ({problem})") from problem
