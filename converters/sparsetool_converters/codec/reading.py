"""One tensor of a packed model, without unpacking the rest."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.codec.container import Container, Range, read_container
from sparsetool_converters.codec.errors import WireFormatError
from sparsetool_converters.codec.unpacking import (
    MAX_OUTPUT_BYTES,
    check_literals,
    checked_contents,
    fill_literals,
    fill_region,
)
from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.model import Model, Tensor

Array = npt.NDArray[Any]


class PackedModel(Mapping[str, Array]):
    """The constants of a packed model by name, each unpacked when it is first asked for.

    Tables and small tensors are literal bytes of the container and are unpacked at once. The checksums of what is read
    are compared, that of the whole output is not.

    Attributes:
        container: what is read.
        model: the model's tables.
    """

    def __init__(self, container: Container, where: str) -> None:
        self.container = container
        self._where = where
        check_literals(container)
        self._output = np.zeros(container.output_bytes, np.uint8)  # takes memory where something is filled in
        fill_literals(container, self._output.data)
        self.model = Model.from_bytes(self._output.data)
        self._tensors: dict[str, Tensor] = {}
        for tensor in self.tensors():
            self._tensors.setdefault(tensor.name, tensor)
        self._starts = [r.start for r in container.ranges]
        self._region_of = {
            number: at for at, packed in enumerate(container.regions) for number, _ in packed.region.range_lengths()
        }
        self._filled: set[int] = set()

    def tensors(self) -> Iterator[Tensor]:
        """All constants, whose payloads are zeros until they are read."""
        return (tensor for graph in self.model.subgraphs for tensor in graph.tensors if tensor.is_constant)

    def __getitem__(self, name: str) -> Array:
        """The dense values of a constant, read-only.

        Raises:
            KeyError: no constant has the name; of several, the first is meant.
            WireFormatError, ModelFormatError, EncodingError: see `array`.
        """
        return self.array(self._tensors[name])

    def array(self, tensor: Tensor) -> Array:
        """The dense values of one of `tensors`, read-only.

        Raises:
            WireFormatError: a frame that it needs is damaged.
            ModelFormatError, EncodingError: it is no constant that can be read, as `Tensor.array` has it.
        """
        for region in self.regions_of(tensor):
            self._fill(region)
        array = tensor.array()
        array.flags.writeable = False
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def regions_of(self, tensor: Tensor) -> list[int]:
        """Numbers of the regions that fill any byte of a tensor; none if it is literal."""
        found: dict[int, None] = {}
        for stretch in self._stretches(tensor):
            number = max(bisect_left(self._starts, stretch.start) - 1, 0)
            while number < len(self._starts) and self._starts[number] < stretch.end:
                if self.container.ranges[number].end > stretch.start:
                    found[self._region_of[number]] = None
                number += 1
        return list(found)

    def _fill(self, number: int) -> None:
        if number in self._filled:
            return
        packed = self.container.regions[number]
        try:
            fill_region(packed.region, checked_contents(packed), self._output, self.container.ranges)
        except WireFormatError as error:
            raise WireFormatError(self._where, error.problem) from error
        self._filled.add(number)

    def _stretches(self, tensor: Tensor) -> Iterator[Range]:
        """Where the payload and the index vectors lie."""
        vectors = [tensor.buffer.data]
        if tensor.is_sparse:
            levels = tensor.fields.sparsity.dimMetadata or []
            tables = [table for level in levels for table in (level.arraySegments, level.arrayIndices)]
            vectors += [table.values for table in tables if table is not None]
        base = self._output.__array_interface__["data"][0]
        for vector in vectors:
            if vector is not None and len(vector):
                start = int(np.asarray(vector).__array_interface__["data"][0]) - base
                yield Range(start=start, length=int(np.asarray(vector).nbytes))


def open(  # noqa: A001  (as gzip.open and its like)
    source: Path | str | bytes | memoryview, *, max_output_bytes: int = MAX_OUTPUT_BYTES
) -> PackedModel:
    """A packed model whose tensors are unpacked one by one, when they are asked for.

        codec.open("model.tflz")["conv1/kernel"]

    Args:
        source: path of a container, or its bytes.
        max_output_bytes: size of the largest output that is accepted.

    Raises:
        OSError: the file cannot be read.
        WireFormatError: the container is not sound, or its output is too large.
        ModelFormatError: what was packed is no model.
    """
    where = "container" if isinstance(source, bytes | memoryview) else str(source)
    data = source if isinstance(source, bytes | memoryview) else Path(source).read_bytes()
    try:
        return PackedModel(read_container(data, max_output_bytes=max_output_bytes), where)
    except WireFormatError as error:
        raise WireFormatError(where, error.problem) from error
    except ModelFormatError as error:
        raise ModelFormatError(where, f"is packed, but what was packed is no model: {error.problem}") from error
