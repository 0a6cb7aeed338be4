"""The C decoder, built here, and what building takes: a compiler, libzstd with its header, CMake.

Where a tool is missing a test is skipped, or fails if SPARSETOOL_REQUIRE_C is 1.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SOURCES = REPOSITORY / "converters" / "sparsetool_converters" / "codec" / "c"
FUZZ_SOURCES = REPOSITORY / "tests" / "fuzz" / "c"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wcast-qual", "-Werror")
SANITIZED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def need(program: str) -> str:
    """Path of a program, or the end of the test."""
    path = shutil.which(program)
    return path if path is not None else _without(f"{program} is not installed")


def need_compiler(name: str, *flags: str) -> str:
    """Path of a compiler that builds with libzstd and these flags, or the end of the test."""
    compiler, problem = need(name), _problem(name, flags)
    return compiler if problem is None else _without(problem)


@cache
def _problem(compiler: str, flags: Sequence[str]) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "a.c"
        fuzzes = any("fuzzer" in flag for flag in flags)
        function = "LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)" if fuzzes else "main(void)"
        source.write_text(f"#include <zstd.h>\nint {function} {{ return ZSTD_versionNumber() == 0; }}\n")
        command = [compiler, *flags, str(source), "-o", str(source.with_suffix("")), "-lzstd"]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode == 0:
        return None
    what = "libzstd with its header zstd.h" if "zstd" in finished.stderr else f"what {' '.join(flags)} needs"
    return f"{compiler} does not find {what}"


def _without(problem: str) -> str:
    if os.environ.get("SPARSETOOL_REQUIRE_C") == "1":
        pytest.fail(problem)
    pytest.skip(problem)


def build(compiler: str, sources: Sequence[Path], output: Path, *flags: str) -> Path:
    """Compile and link with libzstd."""
    command = [compiler, *flags, f"-I{SOURCES}", *map(str, sources), "-o", str(output), "-lzstd"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return output


class Info(ctypes.Structure):
    """`tflz_info`."""

    _fields_ = (
        ("output_size", ctypes.c_size_t),
        ("workspace_size", ctypes.c_size_t),
        ("n_ranges", ctypes.c_size_t),
        ("n_regions", ctypes.c_size_t),
    )


class RefusedError(Exception):
    """The decoder's answer to a container that is not sound, with the name of the error."""


class Decoder:
    """The decoder as a shared library."""

    GUARD = b"guarded!" * 8

    def __init__(self, library: Path) -> None:
        self._tflz = ctypes.CDLL(str(library))
        self._tflz.tflz_error_name.restype = ctypes.c_char_p
        self._tflz.tflz_inspect.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.POINTER(Info)]
        memory = [ctypes.c_void_p, ctypes.c_size_t]
        self._tflz.tflz_decode.argtypes = [ctypes.c_void_p, *memory, ctypes.c_char_p, ctypes.c_size_t, *memory]
        self._tflz.ZSTD_createDCtx.restype = ctypes.c_void_p  # libzstd comes with the library
        self._zstd = self._tflz.ZSTD_createDCtx()

    def inspect(self, container: bytes, *, max_output_bytes: int = 2**31) -> Info:
        """What it takes to decode.

        Raises:
            RefusedError: the container is not sound.
        """
        info = Info()
        self._check(self._tflz.tflz_inspect(container, len(container), max_output_bytes, ctypes.byref(info)))
        return info

    def unpack(self, container: bytes, *, max_output_bytes: int = 2**31, less_workspace: int = 0) -> bytes:
        """The file in a container; nothing but its memory was written.

        Raises:
            RefusedError: the container is not sound.
        """
        info = self.inspect(container, max_output_bytes=max_output_bytes)
        output = ctypes.create_string_buffer(bytes(info.output_size) + self.GUARD)
        workspace = ctypes.create_string_buffer(bytes(info.workspace_size) + self.GUARD)
        room = info.workspace_size - less_workspace
        error = self._tflz.tflz_decode(self._zstd, output, info.output_size, container, len(container), workspace, room)
        assert output.raw[info.output_size : -1] == self.GUARD
        assert workspace.raw[info.workspace_size : -1] == self.GUARD
        self._check(error)
        return output.raw[: info.output_size]

    def _check(self, error: int) -> None:
        if error:
            raise RefusedError(self._tflz.tflz_error_name(error).decode())
