"""The command `tflz`: results, errors and what it leaves behind."""

import subprocess
from pathlib import Path

import pytest
from seed_models import SEED_MODELS

from sparsetool_converters.codec import Effort, pack

MODEL = next(iter(SEED_MODELS.values()))()


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflz"
    path.write_bytes(pack(MODEL, effort=Effort.FAST))
    return path


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def test_unpacks(tflz: Path, packed: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.tflite"
    finished = run(tflz, "unpack", packed, "-o", output)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert output.read_bytes() == MODEL
    assert output.stat().st_mode & 0o777 == packed.stat().st_mode & 0o777


def test_tells_sizes(tflz: Path, packed: Path) -> None:
    finished = run(tflz, "info", packed)
    assert finished.returncode == 0
    found = dict(line.split(maxsplit=1) for line in finished.stdout.splitlines())
    assert found["container"] == f"{packed.stat().st_size} bytes"
    assert found["output"] == f"{len(MODEL)} bytes"


def test_existing_output_is_replaced_only_by_force(tflz: Path, packed: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.tflite"
    output.write_bytes(b"mine")
    finished = run(tflz, "unpack", packed, "-o", output)
    assert finished.returncode == 2
    assert finished.stderr == f"tflz: {output}: exists; to replace it: --force\n"
    assert output.read_bytes() == b"mine"
    assert run(tflz, "unpack", packed, "-o", output, "--force").returncode == 0
    assert output.read_bytes() == MODEL


def test_damaged_container_leaves_nothing_behind(tflz: Path, packed: Path, tmp_path: Path) -> None:
    data = bytearray(packed.read_bytes())
    data[-1] ^= 1
    packed.write_bytes(data)
    output = tmp_path / "model.tflite"
    finished = run(tflz, "unpack", packed, "-o", output)
    assert finished.returncode == 5
    assert finished.stderr == f"tflz: {packed}: a frame is damaged\n"
    assert list(tmp_path.iterdir()) == [packed]


def test_too_large_an_output_names_the_way_out(tflz: Path, packed: Path, tmp_path: Path) -> None:
    finished = run(tflz, "unpack", packed, "-o", tmp_path / "out", "--max-output", len(MODEL) - 1)
    assert finished.returncode == 5
    assert "--max-output" in finished.stderr
    assert run(tflz, "unpack", packed, "-o", tmp_path / "out", "--max-output", len(MODEL)).returncode == 0


@pytest.mark.parametrize("path", ["no-such-file", "."])
def test_unreadable_file_is_unusable(tflz: Path, path: str) -> None:
    assert run(tflz, "info", path).returncode == 5


def test_output_that_cannot_be_written_is_one_line(tflz: Path, packed: Path, tmp_path: Path) -> None:
    finished = run(tflz, "unpack", packed, "-o", tmp_path / "no-such-folder" / "out")
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [[], ["unpack"], ["info"], ["unpack", "a"], ["info", "a", "b"], ["info", "a", "-o", "b"], ["pack", "a"]]
    + [["unpack", "a", "-o", "b", "--max-output", number] for number in ("-1", "x", "1x", "", str(2**64))],
)
def test_wrong_usage_is_told(tflz: Path, arguments: list[str]) -> None:
    finished = run(tflz, *arguments)
    assert finished.returncode == 2
    assert finished.stderr.startswith("usage: tflz info FILE\n")
