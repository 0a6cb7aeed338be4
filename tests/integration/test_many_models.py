"""Twenty models in one call: what one does is nothing to the others, and a kill costs nothing that was done."""

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import command, run
from models_in_memory import mlp

pytestmark = pytest.mark.slow

CORRUPT = 7
NAMES = [f"model_{i:02d}" for i in range(20)]


def network(seed):
    rng = np.random.default_rng(seed)
    return mlp([rng.normal(size=(48, 64)) * (rng.random((48, 64)) > 0.9), rng.normal(size=(4, 48))])


@pytest.fixture(scope="module")
def twenty(tmp_path_factory):
    """A folder with twenty models, one of which is cut short, and what one call made of them."""
    folder = tmp_path_factory.mktemp("twenty")
    (folder / "models").mkdir()
    for i, name in enumerate(NAMES):
        data = network(i)
        (folder / "models" / f"{name}.tflite").write_bytes(data[: len(data) // 2] if i == CORRUPT else data)
    done = run(folder, "compress", *sources(folder), "-o", "build/", "--jobs", 2, "--json", "--junit", "junit.xml")
    return folder, done


def sources(folder):
    return sorted(path.relative_to(folder) for path in (folder / "models").glob("*.tflite"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.tflz")}


def test_one_corrupt_model_of_twenty_costs_one_result(twenty):
    folder, done = twenty
    assert done.code == 5
    assert [Path(one["output"]).name for one in done.json["made"]] == [
        f"{name}.tflz" for i, name in enumerate(NAMES) if i != CORRUPT
    ]
    (failure,) = done.json["failures"]
    assert failure["name"] == f"models/{NAMES[CORRUPT]}.tflite"
    assert (failure["error"], failure["exit_code"]) == ("ModelFormatError", 5)
    assert done.said[-1].startswith(f"error: 1 of 20 models failed; the first: models/{NAMES[CORRUPT]}.tflite: ")
    assert len(contents(folder / "build")) == 19
    reported = (folder / "junit.xml").read_text()
    assert reported.count("<error ") == 1
    assert all(f'classname="{name}"' in reported for name in NAMES)


def test_results_are_those_of_single_calls(twenty, tmp_path):
    folder, _ = twenty
    for name in (NAMES[0], NAMES[-1]):
        done = run(folder, "compress", f"models/{name}.tflite", "-o", tmp_path / f"{name}.tflz")
        assert done.code == 0, done.err
        assert (tmp_path / f"{name}.tflz").read_bytes() == contents(folder / "build")[f"{name}.tflz"]


def test_a_second_call_makes_nothing_and_touches_nothing(twenty):
    folder, first = twenty
    times = {path: path.stat().st_mtime_ns for path in (folder / "build").glob("*.tflz")}
    again = run(folder, "compress", *sources(folder), "-o", "build/", "--jobs", 2, "--json")
    assert again.code == 5
    assert {one["outcome"] for one in again.json["made"]} == {"reused"}
    assert [one["artifact"] for one in again.json["made"]] == [one["artifact"] for one in first.json["made"]]
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_changed_model_is_made_again_alone_and_replaced_only_by_force(twenty):
    folder, _ = twenty
    path = folder / "models" / f"{NAMES[3]}.tflite"
    before, made = path.read_bytes(), contents(folder / "build")
    path.write_bytes(network(99))
    three = [f"models/{name}.tflite" for name in NAMES[2:5]]
    try:
        refused = run(folder, "compress", *three, "-o", "build/", "--json")
        assert refused.code == 2
        assert "use --force" in refused.json["failures"][0]["message"]
        assert contents(folder / "build") == made
        forced = run(folder, "compress", *three, "-o", "build/", "--force", "--json")
        assert forced.code == 0, forced.err
        assert [one["outcome"] for one in forced.json["made"]] == ["reused", "made", "reused"]
        changed = {name for name, data in contents(folder / "build").items() if data != made[name]}
        assert changed == {f"{NAMES[3]}.tflz"}
    finally:
        path.write_bytes(before)
        assert run(folder, "compress", *three, "-o", "build/", "--force").code == 0


def workers(folder):
    """Processes that convert something into this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"sparsetool.pipeline.conversion_worker" in words and any(str(folder).encode() in w for w in words):
            found.append(entry.parent.name)
    return found


def started(models, out, jobs):
    """The command, on its way."""
    return subprocess.Popen(
        command("compress", *models, "-o", f"{out}/", "--jobs", jobs),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(true, process):
    """Wait for something to be true as long as the process runs; returns what it is."""
    deadline = time.monotonic() + 60
    while not (found := true()) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_call_leaves_no_half_output_and_the_next_finishes_the_rest(twenty, tmp_path, seed):
    folder, _ = twenty
    right = contents(folder / "build")
    six = [folder / "models" / f"{name}.tflite" for name in NAMES[:6]]
    out = tmp_path / "build"
    process = started(six, out, 2)
    until(lambda: len(contents(out)) >= seed, process)
    time.sleep(random.Random(seed).uniform(0.0, 2.0))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode in (0, -signal.SIGKILL)
    deadline = time.monotonic() + 60
    while workers(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert workers(tmp_path) == []
    assert all(data == right[name] for name, data in contents(out).items())
    done = run(tmp_path, "compress", *six, "-o", "build/", "--jobs", 2)
    assert done.code == 0, done.err
    assert contents(out) == {f"{name}.tflz": right[f"{name}.tflz"] for name in NAMES[:6]}
    assert sorted(path.name for path in out.iterdir()) == [".work", *sorted(contents(out))]
    assert not [path for path in (out / ".work").iterdir() if path.name.startswith(".") and path.name != ".gitignore"]


def test_ctrl_c_ends_everything_and_says_so(twenty, tmp_path):
    folder, _ = twenty
    process = started([folder / "models" / f"{name}.tflite" for name in NAMES[:6]], tmp_path / "build", 2)
    assert until(lambda: workers(tmp_path), process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.splitlines()[-1].startswith("error: interrupted; nothing is half written")
    assert workers(tmp_path) == []


def test_a_worker_that_is_killed_is_a_failure_of_its_model_alone(twenty, tmp_path):
    folder, _ = twenty
    process = started([folder / "models" / f"{name}.tflite" for name in NAMES[:3]], tmp_path / "build", 1)
    found = until(lambda: workers(tmp_path), process)
    os.kill(int(found[0]), signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    last = said.splitlines()[-1]
    assert last.startswith("error: 1 of 3 models failed; the first: ")
    assert "the process that converted it ended with SIGKILL" in last
    assert len(contents(tmp_path / "build")) == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["a/m.tflite", "b/m.tflite", "-o", "build/"],
            "b/m.tflite and a/m.tflite would both be written to build/m.tflz",
        ),
        (["a/m.tflite", "b/m.tflite", "-o", "small.tflite"], "small.tflite: of several models, -o names the folder"),
        (["a/m.tflite", "b/m.tflite", "--record", "r"], "--record tells of one model"),
        (["a/m.tflite", "a/m.tflz", "--format", "tflz"], "is a source|would both be written"),
        (["a/m.tflite", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["a/m.tflite", "b/m.tflite", "--budget", "m:disk=1"], "are both 'm' in baseline and budgets"),
        (["a/m.tflite", "b/n.tflite", "--budget", "x:disk=1"], "there is a budget for 'x', which is not made here"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_work(tmp_path, arguments, problem):
    for name in ("a/m.tflite", "b/m.tflite", "b/n.tflite", "a/m.tflz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(network(0))
    done = run(tmp_path, "compress", *arguments)
    assert done.code == 2
    assert re.search(problem, done.err), done.err
    assert not (tmp_path / "build").exists()


def test_models_without_a_folder_land_beside_their_sources(tmp_path):
    for name in ("a/one.tflite", "b/two.tflite"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(network(0))
    done = run(tmp_path, "compress", "a/one.tflite", "b/two.tflite", "--format", "zst")
    assert done.code == 0, done.err
    assert (tmp_path / "a/one.tflite.zst").is_file()
    assert (tmp_path / "b/two.tflite.zst").is_file()


def test_a_budget_fails_one_of_several_and_the_rest_is_written(tmp_path):
    for i, name in enumerate(("one", "two")):
        (tmp_path / f"{name}.tflite").write_bytes(network(i))
    done = run(tmp_path, "compress", "one.tflite", "two.tflite", "-o", "build/", "--budget", "two:disk=1KB", "--json")
    assert done.code == 3
    assert [one["source"] for one in done.json["made"]] == ["one.tflite"]
    (sized,) = done.json["over_limits"]
    assert (sized["name"], sized["limits"][0]["kept"]) == ("two", False)
    assert sorted(contents(tmp_path / "build")) == ["one.tflz"]
