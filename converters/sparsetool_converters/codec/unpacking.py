"""From a container, trusted by nobody, back to the file."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from sparsetool_converters.codec import frames
from sparsetool_converters.codec.container import Container, Packed, Range, read_container
from sparsetool_converters.codec.errors import WireFormatError, require
from sparsetool_converters.codec.places import Batch, from_gaps, from_mask, read_counts
from sparsetool_converters.codec.regions import Index, Places, Region
from sparsetool_converters.codec.values import from_streams

Bytes = npt.NDArray[np.uint8]

MAX_OUTPUT_BYTES = 2**31  # no flatbuffer is larger


def unpack(
    data: bytes | bytearray | memoryview, *, where: str = "container", max_output_bytes: int = MAX_OUTPUT_BYTES
) -> bytearray:
    """The file that was packed, bit for bit.

    What it takes in memory besides the output does not grow with it.

    Args:
        data: the whole container and nothing else.
        where: what to call it in errors.
        max_output_bytes: size of the largest output to be made; one that declares more is refused first.

    Raises:
        WireFormatError: the container is not sound, is damaged, or its output is too large.
    """
    try:
        container = read_container(data, max_output_bytes=max_output_bytes)
        contents = [checked_contents(packed) for packed in container.regions]
        check_literals(container)
        output = bytearray(container.output_bytes)
        fill_literals(container, memoryview(output))
        whole = np.frombuffer(output, np.uint8)
        for packed, content in zip(container.regions, contents, strict=True):
            fill_region(packed.region, content, whole, container.ranges)
        require(xxhash.xxh64_intdigest(output) == container.output_hash, "unpacks to other bytes: the checksum differs")
    except WireFormatError as error:
        raise WireFormatError(where, error.problem) from error
    return output


Contents = Sequence[Callable[[], Bytes]]


def checked_contents(packed: Packed) -> Contents:
    """What gives the content of each stream, once their sizes are known to be right.

    Raises:
        WireFormatError: a frame is none, or declares another size than its region needs.
    """
    sizes = [frames.content_size(frame) for frame in packed.frames]
    packed.region.check_contents(sizes)
    return [partial(frames.content, frame, size) for frame, size in zip(packed.frames, sizes, strict=True)]


def check_literals(container: Container) -> int:
    """How many literal bytes there are.

    Raises:
        WireFormatError: their frame declares another size.
    """
    size = frames.content_size(container.literal)
    expected = container.output_bytes - sum(stretch.length for stretch in container.ranges)
    require(size == expected, f"has {size:,} literal bytes for {expected:,}")
    return size


def fill_literals(container: Container, output: memoryview) -> None:
    """Put all literal bytes in their places.

    Raises:
        WireFormatError: their frame is damaged, or has another size.
    """
    size = check_literals(container)
    pieces = (output[piece.start : piece.end] for piece in container.literal_pieces())
    frames.fill(pieces, container.literal, size)


def fill_region(region: Region, contents: Contents, output: Bytes, ranges: Sequence[Range]) -> None:
    """Decode one region into its ranges, which are zeros.

    Args:
        region: what the directory says of it.
        contents: from `checked_contents`.
        output: the whole output, or as much of it as the ranges lie in.
        ranges: all ranges of the container.

    Raises:
        WireFormatError: a frame is damaged, or its content contradicts the region.
    """
    values_out = _within(output, ranges[region.values_range])
    batches, index_counts = _batches(region, contents)
    value_contents = contents[region.n_place_streams :]
    if batches is None:
        kept = from_streams(value_contents, region.coding, region.element_bytes, region.kept_elements)
        values_out[:] = kept.view(np.uint8)
        if region.index is not None:
            _fill_index(region, region.index, iter(_all_places(region)), None, output, ranges)
        return
    values = _units(
        from_streams(value_contents, region.coding, region.element_bytes, region.kept_elements), region.unit_bytes
    )
    units_out = _units(values_out, region.unit_bytes)
    if region.index is None:
        for batch in batches:
            units_out[batch.places] = values[batch.first : batch.first + batch.places.size]
        return

    def placing() -> Iterator[Batch]:
        for batch in batches:
            last = batch.first + batch.places.size
            units_out[_ranks(batch)] = values[batch.first : last]
            yield batch

    _fill_index(region, region.index, placing(), index_counts, output, ranges)


def _batches(region: Region, contents: Contents) -> tuple[Iterator[Batch] | None, npt.NDArray[np.int64] | None]:
    """Where kept units are, None for everywhere; and how many each row of the index has, where that is known."""
    if region.places is Places.ALL:
        return None, None
    if region.places is Places.MASK:
        return from_mask(contents[0](), region.columns, region.kept), None
    counts_content = contents[0]() if region.rows > 1 else np.zeros(0, np.uint8)
    counts = read_counts(counts_content, region.rows, region.columns, region.kept)
    known = counts if region.index is not None and region.index.columns == region.columns else None
    gaps = contents[region.n_place_streams - 1]()
    return from_gaps(gaps, counts, region.columns, ranked=region.index is not None), known


def _all_places(region: Region) -> Iterator[Batch]:
    for first in range(0, region.kept, 2**20):
        yield Batch(first=first, places=np.arange(first, min(first + 2**20, region.kept)), ranks=None)


def _fill_index(
    region: Region,
    index: Index,
    batches: Iterator[Batch],
    counts: npt.NDArray[np.int64] | None,
    output: Bytes,
    ranges: Sequence[Range],
) -> None:
    """Write indices and segments. `counts` of the rows of the index are counted here where they are not known."""
    indices = _within(output, ranges[index.indices_range]).view(f"<u{index.index_bytes}")
    segments = _within(output, ranges[index.segments_range]).view(f"<u{index.segment_bytes}")
    counted = np.zeros(segments.size, np.int64) if counts is None else counts
    for batch in batches:
        if counts is None and batch.places.size:
            rows, indices[_ranks(batch)] = np.divmod(batch.places, index.columns)
            low = int(rows.min())
            here = np.bincount(rows - low)
            counted[low : low + here.size] += here
        else:
            indices[_ranks(batch)] = batch.places % index.columns
    segments[:] = np.cumsum(counted) + index.first


def _ranks(batch: Batch) -> Any:
    return slice(batch.first, batch.first + batch.places.size) if batch.ranks is None else batch.ranks


def _within(output: Bytes, stretch: Range) -> Bytes:
    return output[stretch.start : stretch.end]


def _units(values: npt.NDArray[Any], unit_bytes: int) -> npt.NDArray[Any]:
    """An array with one item for each unit."""
    return values.view(np.uint8).view(f"<u{unit_bytes}" if unit_bytes in (1, 2, 4, 8) else f"V{unit_bytes}")
