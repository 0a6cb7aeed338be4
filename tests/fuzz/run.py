"""Damaged files, as many as wanted; the exit code is 1 if one was treated wrong.

python tests/fuzz/run.py [--what models|containers] [--runs N] [--first NUMBER] [--processes N]
python tests/fuzz/run.py --only NUMBER [--save FILE]     one file again, here, with what went wrong
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from campaign import PROCESSES, campaign
from cases import MODELS, file_number
from containers import CONTAINERS, container_number

KINDS = {"models": MODELS, "containers": CONTAINERS}


def main() -> int:
    parser = argparse.ArgumentParser(description="Give damaged files to everything that reads them.")
    parser.add_argument("--what", choices=KINDS, default="models", help="what is damaged")
    parser.add_argument("--runs", type=int, default=100_000, help="how many files")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--only", type=int, help="treat this file alone")
    parser.add_argument("--save", type=Path, help="write the file of --only there")
    arguments = parser.parse_args()
    if arguments.only is not None:
        if arguments.save is not None:
            models = arguments.what == "models"
            arguments.save.write_bytes(file_number(arguments.only) if models else container_number(arguments.only)[0])
        found = KINDS[arguments.what].complaints(arguments.only)
        sys.stdout.writelines(f"{complaint}\n" for complaint in found)
        return 1 if found else 0
    shown = 0

    def progress(done: int) -> None:
        nonlocal shown
        if done - shown >= 1000:
            shown = done
            sys.stderr.write(f"{done:,} of {arguments.runs:,}\n")

    counts: Counter[str] = Counter()
    findings = campaign(
        arguments.runs,
        first=arguments.first,
        processes=arguments.processes,
        kind=KINDS[arguments.what],
        on_progress=progress,
    )
    for finding in findings:
        counts[finding.complaint] += 1
        if counts[finding.complaint] == 1:
            sys.stdout.write(f"file {finding.number}: {finding.complaint}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{arguments.runs:,} damaged {arguments.what}, {counts.total():,} of them treated wrong\n")
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())
