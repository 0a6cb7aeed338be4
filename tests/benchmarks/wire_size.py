"""Packed sizes of pruned models, against their entropy and beside other compressors."""

import gzip
import lzma
from pathlib import Path

import brotli
from figures import Figure
from nncodec_sizes import nncodec_bytes
from peer_environment import NoEnvironmentError
from wire_models import wire_models

from sparsetool_converters import codec

PEERS = {
    "gzip -9": lambda data: gzip.compress(data, 9, mtime=0),
    "zstd -19": codec.compress,
    "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "brotli -q 11": lambda data: brotli.compress(data, quality=11),
}
MOST_OVER_BOUND = {"int8": 0.975, "float32": 0.99}
MOST_FOR_ENCODING = 1.01
MOST_COMPACTED_BYTES = 370_000
IN_BLOCKS = {"blocks", "int8_blocks"}
MOST_OVER_ZSTD_IN_BLOCKS = 0.95


def measure(folder: Path) -> list[Figure]:
    models = vars(wire_models(folder))
    packed = {name: codec.pack(data) for name, data in models.items()}
    figures = []
    for name, limit in MOST_OVER_BOUND.items():
        tensors = codec.account(codec.open(packed[name])).tensors
        ratio = sum(t.packed_bytes for t in tensors) / sum(t.bound_bytes for t in tensors)
        figures.append(Figure(name=f"{name}: tensors over their order-0 bound", value=ratio, unit="x", limit=limit))
        ratio = len(packed[f"{name}_encoded"]) / len(packed[name])
        figures.append(Figure(name=f"{name}: encoded over dense", value=ratio, unit="x", limit=MOST_FOR_ENCODING))
    figures.append(_over_nncodec(packed["int8"], folder))
    for name, data in models.items():
        most_bytes = MOST_COMPACTED_BYTES if name == "int8_compacted" else None
        figures.append(Figure(name=f"{name}: packed", value=len(packed[name]), unit="B", limit=most_bytes))
        for peer, compress in PEERS.items():
            theirs = len(compress(data))
            ratio = len(packed[name]) / theirs
            most = MOST_OVER_ZSTD_IN_BLOCKS if name in IN_BLOCKS and peer == "zstd -19" else 1
            figures.append(Figure(name=f"{name}: over {peer}, {theirs:,} bytes", value=ratio, unit="x", limit=most))
    return figures


def _over_nncodec(container: bytes, folder: Path) -> Figure:
    """Of the tensors that have frames of their own; with our whole directory, and the headers of their streams."""
    packed = codec.open(container)
    accounting = codec.account(packed)
    name = "int8: tensors and directory over nncodec"
    try:
        theirs = nncodec_bytes([packed[tensor.name] for tensor in accounting.tensors], folder)
    except NoEnvironmentError as error:
        return Figure(name=f"{name}, not measured: {error}", value=None, unit="x", limit=1)
    ours = sum(tensor.packed_bytes for tensor in accounting.tensors) + accounting.directory_bytes
    return Figure(name=f"{name}, {theirs:,} bytes", value=ours / theirs, unit="x", limit=1)
