"""The same inputs give the same bytes, whatever the folder, time zone, locale, hash seed and number of threads."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from models_in_memory import mlp

from sparsetool_converters.codec import pack

TOY = Path(__file__).with_name("toy")
NOT_PUBLISHED = "lock"  # of a run's inner steps; it names the process that is at work
ON_ONE_PROCESSOR = (
    sys.executable,
    "-c",
    "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); os.execv(sys.argv[1], sys.argv[1:])",
)
HERE = {
    "PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C", "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1",
}  # fmt: skip
THERE = {
    "PYTHONHASHSEED": "2", "TZ": "Asia/Kathmandu", "LC_ALL": "de_DE.UTF-8", "OMP_NUM_THREADS": "2",
    "TF_NUM_INTRAOP_THREADS": "2",
}  # fmt: skip

# What is run in both folders, one after the other; of the last, stdout is compared as well.
CHAINS = {
    "compress": [("compress", "pruned.tflite", "-o", "new.tflite", "--json")],
    "compress to tflz": [("compress", "pruned.tflite", "-o", "new.tflz")],
    "compress to zst": [("compress", "pruned.tflite", "-o", "new.tflite.zst")],
    **{
        f"compress to {name}": [
            ("compress", "pruned.tflite", "-o", "new.tflite", "--quantize", name, *calibration, "--json")
        ]
        for name, calibration in (
            ("float16", ()),
            ("dynamic", ()),
            ("int8", ("--calibration", "samples.npy")),
        )
    },
    "compress with a record": [("compress", "pruned.tflite", "-o", "new.tflite", "--record", "record", "--json")],
    "compress several": [
        (
            "compress",
            "pruned.tflite",
            "other.tflite",
            "-o",
            "out/",
            "--jobs",
            "2",
            "--baseline",
            "sizes.json",
            "--update-baseline",
            "--junit",
            "junit.xml",
            "--markdown",
            "sizes.md",
            "--depfile",
            "out.d",
            "--json",
        )
    ],
    "size": [("size", "pruned.tflite", "packed.tflz", "--budget", "disk=1MB", "--junit", "junit.xml", "--json")],
    "embed": [("embed", "pruned.tflite", "-o", "pruned.c", "--json")],
    "plan": [("plan", "pruned.tflite", "-o", "plan.json", "--json")],
    "densify": [
        ("compress", "pruned.tflite", "-o", "new.tflite"),
        ("densify", "new.tflite", "-o", "dense.tflite", "--json"),
    ],
    "pack": [("pack", "pruned.tflite", "-o", "new.tflz", "--json")],
    "pack to zst": [("pack", "pruned.tflite", "--format", "zst", "--json")],
    "unpack": [("unpack", "packed.tflz", "-o", "new.tflite", "--json")],
    "verify": [("verify", "pruned.tflite", "packed.tflz", "--certificate", "proof.json", "--json")],
    "inspect": [("inspect", "pruned.tflite", "--json")],
    "explain": [("explain", "pruned.tflite")],
    "diff": [("diff", "pruned.tflite", "packed.tflz")],
    "quantizations": [("quantizations",)],
}
MICRO = {"compress for tflm": [("compress", "pruned.tflite", "-o", "new.tflite", "--target", "tflm", "--json")]}
TRAINED = {
    "run": [("run", "recipe.toml", "--json")],
    "prune and plot": [("prune", "recipe.toml", "--record", "record"), ("plot", "record", "-o", "pictures", "--json")],
}


@pytest.fixture(scope="module")
def decimal_comma(tmp_path_factory):
    """Where a locale with a decimal comma is, made here if the system has its source."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef"):
        target = folder / THERE["LC_ALL"]
        subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", target], capture_output=True, check=False)
    return {"LOCPATH": str(folder)} if any(folder.iterdir()) else {}


@pytest.fixture
def both(tmp_path, decimal_comma):
    """Runs a chain of commands in two folders that hold the same, and returns what is in each afterwards."""

    def run_both(chain, fill):
        return [
            _left_behind(folder, chain, fill, under, environment)
            for folder, under, environment in (
                (tmp_path / "here", ON_ONE_PROCESSOR, HERE),
                (tmp_path / "over there" / "é", (), {**THERE, **decimal_comma}),
            )
        ]

    return run_both


def _left_behind(folder, chain, fill, under, environment):
    """Content of every file by its path, and what the last command printed under the name of stdout."""
    folder.mkdir(parents=True)
    fill(folder)
    for arguments in chain:
        done = run(folder, *arguments, under=under, **environment)
        assert done.code == 0, done.err
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {"stdout": done.out.encode(), **{k: v for k, v in files.items() if Path(k).name != NOT_PUBLISHED}}


def _models(folder):
    weight = np.random.default_rng(3).uniform(0.5, 1, (32, 64)).astype(np.float32)
    weight[:, 8:] = 0.0
    model = mlp([weight, np.random.default_rng(4).normal(size=(8, 32)).astype(np.float32)], [np.ones(32), np.zeros(8)])
    (folder / "pruned.tflite").write_bytes(model)
    (folder / "other.tflite").write_bytes(mlp([weight]))
    (folder / "packed.tflz").write_bytes(pack(model))
    np.save(folder / "samples.npy", np.random.default_rng(5).normal(size=(16, 64)).astype(np.float32))


def _toy(folder):
    for name in ("model.py", "recipe.toml"):
        shutil.copy(TOY / name, folder)


def _assert_same(here, there):
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []


@pytest.mark.parametrize("name", CHAINS)
def test_a_command_writes_and_prints_the_same(both, name):
    _assert_same(*both(CHAINS[name], _models))


@pytest.mark.parametrize("name", MICRO)
def test_a_model_for_microcontrollers_is_the_same(both, name):
    pytest.importorskip("tflite_micro")
    _assert_same(*both(MICRO[name], _models))


@pytest.mark.keras
@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_training_and_all_that_follows_is_the_same(both, name):
    """With one processor and with all there are: shares of a sum must not depend on how many work at it."""
    _assert_same(*both(TRAINED[name], _toy))


def test_the_two_surroundings_differ_where_a_process_can_see_it(decimal_comma):
    code = (
        "import locale, os, time; locale.setlocale(locale.LC_ALL, '')\n"
        "print(len(os.sched_getaffinity(0)), hash('a'), time.strftime('%z'), locale.str(0.5))"
    )
    seen = [
        subprocess.run(
            [*under, sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True, check=True
        ).stdout.split()
        for under, env in ((ON_ONE_PROCESSOR, HERE), ((), {**THERE, **decimal_comma}))
    ]
    assert seen[0][0] == "1"
    assert seen[0][1:3] != seen[1][1:3]
    if decimal_comma:
        assert [found[3] for found in seen] == ["0.5", "0,5"]
