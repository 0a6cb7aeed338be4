"""All benchmarks, as a table or as JSON; the exit code is 1 if a limit does not hold.

    python tests/benchmarks/run.py [--json] [--only NAME ...]

Times are only ever compared within one run; gigabytes of disk are used beside the system's temporary files.
`tfmot_accuracy` runs only when it is named, since it trains for about an hour; killed, it goes on where it was.
"""

import argparse
import importlib
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from figures import Figure

BENCHMARKS = (
    "file_time",
    "encoding_time",
    "compaction",
    "scale",
    "over_2_gib",
    "wire_size",
    "wire_speed",
    "wire_c_speed",
    "wire_memory",
    "tfmot_masks",
    "tfmot_cost",
    "vowels_accuracy",
    "bench_verdicts",
)
ON_REQUEST = ("tfmot_accuracy",)  # takes about an hour; only with --only


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the trainer and the converters take.")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS + ON_REQUEST, default=BENCHMARKS, metavar="NAME")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    for name in arguments.only:
        with tempfile.TemporaryDirectory(prefix="sparsetool-benchmark-") as folder:
            found: list[Figure] = importlib.import_module(name).measure(Path(folder))
        figures += found
        if not arguments.json:
            sys.stdout.writelines(f"{line(figure)}\n" for figure in found)
            sys.stdout.flush()
    if arguments.json:
        sys.stdout.write(json.dumps([{**asdict(f), "holds": f.holds} for f in figures], indent=2) + "\n")
    return 0 if all(figure.holds for figure in figures) else 1


def line(figure: Figure) -> str:
    limit = "" if figure.limit is None else f"at most {figure.limit:g}"
    limit = limit if figure.least is None else f"at least {figure.least:g}"
    value = "-" if figure.value is None else f"{figure.value:.4g}"
    return f"{value:>12} {figure.unit:6} {limit:14} {'' if figure.holds else 'FAILS':5} {figure.name}"


if __name__ == "__main__":
    sys.exit(main())
