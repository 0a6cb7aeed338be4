"""Time of packing and unpacking against zstd at level 19, turn by turn, checksums on for both."""

from pathlib import Path

import zstandard
from figures import Figure, median_ratio
from wire_models import wire_models

from sparsetool_converters.codec import Effort, compress, pack, unpack

MODELS = ("float32", "int8", "blocks", "int8_blocks")  # of 3 MB and more
MOST_UNPACKING = 4
MOST_PACKING = 2
MOST_PACKING_FAST = 0.1
ROUNDS_UNPACKING, ROUNDS_PACKING = 51, 3


def measure(folder: Path) -> list[Figure]:
    models = vars(wire_models(folder))
    figures = []
    for name in MODELS:
        data: bytes = models[name]
        packed, frame = pack(data), compress(data)
        decompressor = zstandard.ZstdDecompressor()
        unpacking = median_ratio(
            lambda packed=packed: unpack(packed),
            lambda frame=frame, decompressor=decompressor: decompressor.decompress(frame),
            ROUNDS_UNPACKING,
        )
        packing = median_ratio(lambda data=data: pack(data), lambda data=data: compress(data), ROUNDS_PACKING)
        fast = median_ratio(
            lambda data=data: pack(data, effort=Effort.FAST), lambda data=data: compress(data), ROUNDS_PACKING
        )
        for act, value, limit in (
            ("unpack", unpacking, MOST_UNPACKING),
            ("pack", packing, MOST_PACKING),
            ("pack fast", fast, MOST_PACKING_FAST),
        ):
            figures.append(Figure(name=f"{name}: {act}, time over zstd -19", value=value, unit="x", limit=limit))
    return figures
