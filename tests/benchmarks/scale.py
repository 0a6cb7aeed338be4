"""Time and memory of read, plan, encode and write from 10 MB to 1 GB, each in a process of its own."""

import json
import resource
import subprocess
import sys
from pathlib import Path

from figures import Figure, seconds
from file_time import encode_file
from measured_models import WEIGHT_BYTES, fully_connected

SIZES_MB = (10, 100, 1000)
RUNS = 3  # the fastest counts
MOST_TIMES_THE_FILE = 3
LINEAR = 2  # how much slower per byte than the size before is still linear, on a machine with other work


def measure(folder: Path) -> list[Figure]:
    figures: list[Figure] = []
    before: float | None = None
    source, destination = folder / "dense.tflite", folder / "written.tflite"
    for size_mb in SIZES_MB:
        size = fully_connected(round(size_mb * 1e6 / WEIGHT_BYTES), zeros=0.9).save(source)
        taken_s, peak_bytes = min(_run(source, destination) for _ in range(RUNS))
        per_mb = taken_s / (size / 1e6) * 1000
        figures.append(Figure(name=f"time per MB of a file of {size_mb:,} MB", value=per_mb, unit="ms"))
        if before is not None:
            figures.append(
                Figure(
                    name=f"the same over that of {size_mb // 10:,} MB", value=per_mb / before, unit="x", limit=LINEAR
                )
            )
        figures.append(
            Figure(
                name=f"peak memory over a file of {size_mb:,} MB",
                value=peak_bytes / size,
                unit="x",
                limit=MOST_TIMES_THE_FILE,
            )
        )
        before = per_mb
    return figures


def _run(source: Path, destination: Path) -> tuple[float, int]:
    command = [sys.executable, __file__, str(source), str(destination)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    taken_s, peak_bytes = json.loads(finished.stdout)
    return taken_s, peak_bytes


def peak_bytes() -> int:
    """Of this process since it began; on Linux getrusage starts from what the process that made it had taken."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:")]
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


if __name__ == "__main__":
    # What Python and its libraries take is no matter of the file; pages of the mapped file are counted.
    at_start = peak_bytes()
    taken = seconds(lambda: encode_file(Path(sys.argv[1]), Path(sys.argv[2])))
    sys.stdout.write(json.dumps([taken, peak_bytes() - at_start]))
