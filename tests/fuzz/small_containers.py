"""Small sound containers of every form, way of telling places, and coding, made by hand: no packer chooses them all.

python tests/fuzz/small_containers.py FOLDER     writes them as files, beside small ones that a packer made
"""

import itertools
import sys
from functools import cache
from pathlib import Path

import numpy as np
import xxhash
from containers import seeds

from sparsetool_converters.codec.container import Container, Packed, Range
from sparsetool_converters.codec.frames import frame
from sparsetool_converters.codec.places import to_gaps, to_mask
from sparsetool_converters.codec.regions import Coding, Index, Places, Region
from sparsetool_converters.codec.values import to_streams

MOST_BYTES = 4000  # of a container that a fuzzer starts from
SHAPES = ((1, 40), (6, 9), (3, 300))  # rows and columns of units
GAP = b"between"


@cache
def small_containers() -> dict[str, tuple[bytes, bytes]]:
    """A container and its output for each name."""
    found = {}
    for number, (places, coding, encoded) in enumerate(itertools.product(Places, Coding, (False, True))):
        for element_bytes, unit, (rows, columns), density in itertools.product(
            (1, 2, 4, 8), (1, 3), SHAPES, (0, 0.3, 1)
        ):
            if (density == 0 and encoded) or (rows > 1 and places is not Places.GAPS):
                continue
            rng = np.random.default_rng((number, element_bytes, unit, rows))
            kept = np.ones(rows * columns, bool) if places is Places.ALL else rng.random(rows * columns) < density
            if encoded and not kept.any():
                continue
            name = f"{places.name}-{coding.name}-{encoded:d}-{element_bytes}-{unit}-{rows}-{density}".lower()
            found[name] = _container(rng, places, coding, encoded, element_bytes, unit, rows, columns, kept)
    return found


def _container(
    rng: np.random.Generator,
    places: Places,
    coding: Coding,
    encoded: bool,
    element_bytes: int,
    unit: int,
    rows: int,
    columns: int,
    kept: np.ndarray,
) -> tuple[bytes, bytes]:
    at = np.flatnonzero(kept).astype(np.int32)
    values = rng.integers(0, 2**63, (at.size, unit), np.uint64).astype(f"<u{element_bytes}")
    if coding is Coding.LIST:
        values = rng.integers(0, 2**63, 256, np.uint64).astype(values.dtype)[rng.integers(0, 256, values.shape)]
    sent, streams = values, []
    if places is Places.GAPS:
        gaps = to_gaps(at, rows, columns)
        streams = [gaps.counts] * (rows > 1) + [gaps.gaps]
        sent = values if gaps.sent is None else values[gaps.sent]
    elif places is Places.MASK:
        streams = [to_mask(at, rows * columns)]
    value_streams = to_streams(np.ascontiguousarray(sent).reshape(-1), coding)
    assert value_streams is not None
    index = None
    if encoded:
        index_columns = columns // 3 if columns % 3 == 0 else columns // 2
        index = Index(columns=index_columns, first=7, indices_range=1, index_bytes=2, segments_range=2, segment_bytes=4)
        ends = np.cumsum(kept.reshape(-1, index_columns).sum(axis=1)) + 7
        parts = [values.tobytes(), (at % index_columns).astype("<u2").tobytes(), ends.astype("<u4").tobytes()]
    else:
        dense = np.zeros((kept.size, unit), values.dtype)
        dense[at] = values
        parts = [dense.tobytes()]
    region = Region(
        places=places,
        coding=coding,
        element_bytes=element_bytes,
        unit=unit,
        rows=rows,
        columns=columns,
        kept=at.size,
        values_range=0,
        index=index,
    )
    ranges, output = [], GAP
    for part in parts:
        ranges.append(Range(start=len(output), length=len(part)))
        output += part + GAP
    literal = frame(GAP * (len(parts) + 1), 1)
    packed = Packed(region=region, frames=[frame(stream, 1) for stream in [*streams, *value_streams]])
    container = Container(
        output_bytes=len(output),
        output_hash=xxhash.xxh64_intdigest(output),
        ranges=ranges,
        literal=literal,
        regions=[packed],
    )
    return container.to_bytes(), output


def fuzz_seeds() -> list[bytes]:
    """What a fuzzer starts from."""
    made = [container for container, _ in small_containers().values()] + [seed.container for seed in seeds()]
    return [container for container in made if len(container) <= MOST_BYTES]


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, container in enumerate(fuzz_seeds()):
        (folder / f"{number:04}").write_bytes(container)


if __name__ == "__main__":
    main()
