"""Pack and unpack model files with hard tensors; the exit code is 1 if one does not come back or is too large.

python tests/fuzz/round_trips.py [--runs N] [--first NUMBER]
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import zstandard
from tensor_files import tensor_file

from sparsetool_converters.codec import Effort, pack, unpack
from sparsetool_converters.codec import open as open_packed
from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.model import Model


def faults(data: bytes) -> list[str]:
    """What is wrong with how a file is packed, read and unpacked; empty if nothing is."""
    found = []
    for effort in Effort:
        packed = pack(data, effort=effort)
        if unpack(packed) != data:
            found.append(f"{effort}: other bytes come back")
        if effort is Effort.SMALL and len(packed) > most_bytes(data):
            found.append(f"{effort}: {len(packed)} bytes, more than {most_bytes(data):.0f}")
    if pack(data, effort=Effort.FAST) != packed:
        found.append("packing again gives other bytes")
    return found + different_tensors(data, packed)


def most_bytes(data: bytes) -> float:
    """The most that a container may take: 0.1 % and 300 bytes over zstd -19."""
    return 1.001 * len(zstandard.ZstdCompressor(level=19, write_checksum=True).compress(data)) + 300


def different_tensors(data: bytes, packed: bytes) -> list[str]:
    """What is wrong with tensors that are read one by one."""
    try:
        model = Model.from_bytes(data)
    except SparseToolError:
        return []
    found, reader, seen = [], open_packed(packed), set()
    for tensor in (t for graph in model.subgraphs for t in graph.tensors if t.is_constant):
        if tensor.name in seen:
            continue
        seen.add(tensor.name)
        if not _same(_result(reader.__getitem__, tensor.name), _result(tensor.array)):
            found.append(f"{tensor.name}: read alone it has other values")
    return found


def _result(act: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return act(*arguments)
    except SparseToolError as error:
        return type(error)


def _same(a: object, b: object) -> bool:
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return a is b
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def main() -> int:
    parser = argparse.ArgumentParser(description="Pack and unpack model files with hard tensors.")
    parser.add_argument("--runs", type=int, default=10_000, help="how many files")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    arguments = parser.parse_args()
    wrong = 0
    for number in range(arguments.first, arguments.first + arguments.runs):
        for fault in faults(tensor_file(number)):
            sys.stdout.write(f"file {number}: {fault}\n")
            wrong += 1
    sys.stdout.write(f"{arguments.runs:,} files, {wrong:,} faults\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
