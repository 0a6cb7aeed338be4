"""Memory of packing and unpacking a model of 100 MB, each in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from figures import Figure
from measured_models import WEIGHT_BYTES, fully_connected
from scale import peak_bytes

from sparsetool_converters.codec import pack, unpack

SIZE_MB = 100
PATTERNS = (0.9, 0.0)  # share of zeros
MOST_TIMES_THE_INPUT = 3
MOST_OVER_THE_OUTPUT_MB = 64


def measure(folder: Path) -> list[Figure]:
    figures = []
    for zeros in PATTERNS:
        source, packed, back = (folder / name for name in ("model.tflite", "model.tflz", "back.tflite"))
        size = fully_connected(round(SIZE_MB * 1e6 / WEIGHT_BYTES), zeros=zeros).save(source)
        figures.append(
            Figure(
                name=f"peak memory of packing {SIZE_MB} MB with {zeros:.0%} zeros, over the file",
                value=_run("pack", source, packed) / size,
                unit="x",
                limit=MOST_TIMES_THE_INPUT,
            )
        )
        figures.append(
            Figure(
                name=f"peak memory of unpacking them, beside the output and the {packed.stat().st_size:,} bytes packed",
                value=(_run("unpack", packed, back) - size - packed.stat().st_size) / 1e6,
                unit="MB",
                limit=MOST_OVER_THE_OUTPUT_MB,
            )
        )
        if source.read_bytes() != back.read_bytes():
            raise AssertionError("other bytes came back")
    return figures


def _run(act: str, source: Path, destination: Path) -> int:
    finished = subprocess.run(
        [sys.executable, __file__, act, str(source), str(destination)], stdout=subprocess.PIPE, check=True
    )
    return int(json.loads(finished.stdout))


if __name__ == "__main__":
    # What Python and its libraries take is no matter of the file: both are used once before.
    unpack(pack(b"nothing"))
    at_start = peak_bytes()
    data = Path(sys.argv[2]).read_bytes()
    result = pack(data) if sys.argv[1] == "pack" else unpack(data)
    peak = peak_bytes() - at_start
    Path(sys.argv[3]).write_bytes(result)
    sys.stdout.write(json.dumps(peak))
