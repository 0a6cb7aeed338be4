"""Mutated containers through the C decoder by libFuzzer, under ASan and UBSan; the exit code is 1 if one ends it.

python tests/fuzz/fuzz_c.py [--runs N] [--seed N]

Exit code 77: clang with libFuzzer, or libzstd with its header, is missing; 1 where SPARSETOOL_REQUIRE_C is 1.

That container is written to the current folder, and `fuzz_tflz FILE` tries it again.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from small_containers import fuzz_seeds

REPOSITORY = Path(__file__).parents[2]
DECODER = REPOSITORY / "converters" / "sparsetool_converters" / "codec" / "c"
FUZZER_FLAGS = ("-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
MOST_SECONDS = 5  # for one container
MOST_MB = 1024  # in all
NO_FUZZER = 77


def build_fuzzer(folder: Path) -> Path:
    """Compile the fuzzer.

    Raises:
        OSError: clang is missing.
        subprocess.CalledProcessError: libFuzzer or libzstd is.
    """
    fuzzer = folder / "fuzz_tflz"
    source = REPOSITORY / "tests" / "fuzz" / "c" / "fuzz_tflz.c"
    command = ["clang", "-std=c99", *FUZZER_FLAGS, "-DLIBFUZZER", f"-I{DECODER}", str(source), "-o", str(fuzzer)]
    subprocess.run([*command, "-lzstd"], check=True)
    return fuzzer


def fuzz(fuzzer: Path, folder: Path, *, runs: int, seed: int = 1) -> subprocess.CompletedProcess[str]:
    """Try so many containers, always the same for the same seed."""
    seeds, corpus = folder / "seeds", folder / "corpus"
    for made in (seeds, corpus):
        made.mkdir()
    for number, container in enumerate(fuzz_seeds()):
        (seeds / f"{number:04}").write_bytes(container)
    options = [f"-runs={runs}", f"-seed={seed}", "-max_len=8192", f"-timeout={MOST_SECONDS}"]
    options += [f"-rss_limit_mb={MOST_MB}", "-print_final_stats=1", f"-artifact_prefix={Path.cwd()}/tflz-"]
    # By way of a shell that forks: a process that is started at once counts its parent's memory as its own peak.
    command = ["sh", "-c", '"$@"; exit $?', "sh", str(fuzzer), *options, str(corpus), str(seeds)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def main() -> int:
    parser = argparse.ArgumentParser(description="Give mutated containers to the C decoder.")
    parser.add_argument("--runs", type=int, default=1_000_000, help="how many containers")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sparsetool-fuzz-") as folder:
        try:
            fuzzer = build_fuzzer(Path(folder))
        except (OSError, subprocess.CalledProcessError):
            sys.stderr.write("the C decoder is not fuzzed: this needs clang and libzstd (Debian: clang, libzstd-dev)\n")
            return 1 if os.environ.get("SPARSETOOL_REQUIRE_C") == "1" else NO_FUZZER
        finished = fuzz(fuzzer, Path(folder), runs=arguments.runs, seed=arguments.seed)
    if finished.returncode:
        sys.stdout.write(finished.stderr[-10_000:])
    sys.stdout.write(f"{arguments.runs:,} containers for the C decoder, {finished.returncode and 1} treated wrong\n")
    return 1 if finished.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
