"""The decoder's sources: strict C99 for both compilers, and short enough to be read."""

import subprocess
from pathlib import Path

import pytest
from c_tools import SOURCES, STRICT, build, need, need_compiler

MOST_LINES = 800


@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_builds_without_a_warning(compiler: str, level: str, tmp_path: Path) -> None:
    sources = [SOURCES / "tflz.c", SOURCES / "tflz_main.c"]
    assert build(need_compiler(compiler), sources, tmp_path / "tflz", *STRICT, level).exists()


def test_header_is_one_for_cxx_too(tmp_path: Path) -> None:
    source = tmp_path / "a.cc"
    source.write_text('#include "tflz.h"\nint main() { return tflz_error_name(TFLZ_OK) == nullptr; }\n')
    decoder = build(need_compiler("gcc"), [SOURCES / "tflz.c"], tmp_path / "tflz.o", "-c")
    build(need_compiler("g++"), [source, decoder], tmp_path / "a", "-Wall", "-Wextra", "-Wpedantic", "-Werror")


def test_is_short_enough_to_be_read() -> None:
    lines = [(SOURCES / name).read_text(encoding="utf-8").splitlines() for name in ("tflz.h", "tflz.c")]
    assert sum(map(len, lines)) <= MOST_LINES
    assert max(len(line) for file in lines for line in file) <= 120


def test_takes_no_memory_and_has_nothing_that_changes(tmp_path: Path) -> None:
    """A decoder that many threads may use: of libc it needs what copies and compares, and it has no data to write."""
    flags = ("-c", "-O2", "-fno-pic", "-fno-stack-protector")
    decoder = build(need_compiler("gcc"), [SOURCES / "tflz.c"], tmp_path / "tflz.o", *flags)
    listed = subprocess.run([need("nm"), str(decoder)], capture_output=True, text=True, check=True)
    symbols = listed.stdout.splitlines()
    needed = {line.split()[-1] for line in symbols if " U " in line}
    assert {name for name in needed if not name.startswith("ZSTD_")} <= {"memcpy", "memmove", "memset", "memcmp"}
    assert not [line for line in symbols if line.split()[1:2] in (["D"], ["d"], ["B"], ["b"], ["C"])]
