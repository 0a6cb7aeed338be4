"""A flatbuffer whose payloads are never copied: room is left for them, and they are handed out in their places."""

from collections.abc import Iterator
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
import numpy.typing as npt

ALIGNMENT = 16  # force_align of Buffer.data in tflite/schema/schema.fbs; the generated Pack ignores it

Piece: TypeAlias = memoryview  # of bytes


class PieceBuilder(flatbuffers.Builder):  # type: ignore[misc]  # flatbuffers is untyped
    """Builds tables in memory that holds nothing where payloads belong, so that their pages are never touched."""

    def __init__(self, payload_bytes: int) -> None:
        super().__init__(0)
        self._payloads: list[tuple[int, npt.NDArray[np.uint8]]] = []  # start, counted from the end of the file
        size = min(payload_bytes + 2**16, self.MAX_BUFFER_SIZE)
        self.Bytes: Any = _untouched(size)
        self.head = size

    def leave_room(self, payload: npt.NDArray[np.uint8]) -> Any:
        """A vector of bytes, aligned; returns its offset as other vectors have one."""
        self.StartVector(1, payload.size, ALIGNMENT)
        self.head -= payload.size
        self._payloads.append((self.Offset(), np.ascontiguousarray(payload)))
        return self.EndVector()

    def growByteBuffer(self) -> None:  # noqa: N802 (the builder's own name)
        """Twice the room; what stands there moves to its end, less the room that is left."""
        if len(self.Bytes) >= self.MAX_BUFFER_SIZE:
            raise flatbuffers.builder.BuilderSizeError("a flatbuffer ends at 2 GiB")
        size = min(2 * len(self.Bytes), self.MAX_BUFFER_SIZE)
        grown = _untouched(size)
        with memoryview(self.Bytes) as before:
            for start, end in self._built():
                grown[size - len(before) + start : size - len(before) + end] = before[start:end]
        self.Bytes = grown

    def pieces(self) -> Iterator[Piece]:
        """The finished flatbuffer, from its start to its end."""
        view = memoryview(self.Bytes)
        for (start, end), payload in zip(self._built(), [*self._in_order(), None], strict=True):
            yield view[start:end]
            if payload is not None:
                yield payload.data

    def _in_order(self) -> list[npt.NDArray[np.uint8]]:
        return [payload for _, payload in reversed(self._payloads)]

    def _built(self) -> Iterator[tuple[int, int]]:
        """Where tables stand: before, between and behind the payloads."""
        at = int(self.head)
        for distance, payload in reversed(self._payloads):
            start = len(self.Bytes) - distance
            yield at, start
            at = start + payload.size
        yield at, len(self.Bytes)


def _untouched(size: int) -> mmap:
    """Zeros that take memory only once they are written; a bytearray writes them all."""
    return mmap(-1, size, flags=MAP_PRIVATE | MAP_ANONYMOUS)
