"""A place for many frames of any size that lets go of all its memory at once."""

import numpy as np

MOST_BLOCK_BYTES = 2**26  # large enough for the system to hand it out by the page, and to take it back


class Spool:
    """Copies of frames, close together.

    Frames are made between larger things that come and go. Left where they were made, they keep the allocator from
    giving back what lies between them, which was half as much again as the frames themselves.

    Args:
        expected_bytes: about how much is going to be kept.
    """

    def __init__(self, expected_bytes: int) -> None:
        self._block_bytes = min(expected_bytes, MOST_BLOCK_BYTES)
        self._left = memoryview(bytearray())

    def keep(self, frame: bytes | memoryview) -> memoryview:
        """The same bytes, in a block of memory that lives as long as the views of it."""
        if len(frame) > len(self._left):
            self._left = memoryview(np.empty(max(self._block_bytes, len(frame)), np.uint8))  # type: ignore[arg-type]
        kept, self._left = self._left[: len(frame)], self._left[len(frame) :]
        kept[:] = memoryview(frame)
        return kept
