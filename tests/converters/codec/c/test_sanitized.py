"""Damaged containers through a decoder that watches its memory, and the first steps of the fuzzer."""

import struct
import subprocess
from pathlib import Path

import pytest
from c_tools import FUZZ_SOURCES, SANITIZED, STRICT, build, need_compiler
from containers import container_number
from fuzz_c import FUZZER_FLAGS, build_fuzzer, fuzz
from small_containers import fuzz_seeds, small_containers

pytestmark = pytest.mark.slow

WATCHED = [flag for flag in STRICT if flag not in ("-Wpedantic", "-Wconversion")]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = need_compiler("gcc", *SANITIZED)
    sources = [FUZZ_SOURCES / "fuzz_tflz.c", FUZZ_SOURCES / "files.c"]
    return build(compiler, sources, tmp_path_factory.mktemp("watched") / "files", *WATCHED, *SANITIZED)


def answers(program: Path, containers: list[bytes]) -> list[int]:
    """An error number for each container."""
    data = b"".join(struct.pack("<I", len(container)) + container for container in containers)
    finished = subprocess.run([program], input=data, capture_output=True, check=False)
    assert finished.returncode == 0, finished.stderr.decode()
    return [int(line) for line in finished.stdout.split()]


def test_sound_containers_are_decoded_within_their_memory(watched: Path) -> None:
    assert set(answers(watched, [container for container, _ in small_containers().values()])) == {0}


def test_damaged_containers_are_refused_within_their_memory(watched: Path) -> None:
    found = answers(watched, [container_number(number)[0] for number in range(5000)])
    assert len(found) == 5000
    assert set(found) == set(range(9))  # every kind of error but one that no container can cause


def test_the_fuzzer_finds_nothing_at_once(tmp_path: Path) -> None:
    need_compiler("clang", *FUZZER_FLAGS)
    assert len(fuzz_seeds()) > 500
    finished = fuzz(build_fuzzer(tmp_path), tmp_path, runs=5000)
    assert finished.returncode == 0, finished.stderr
