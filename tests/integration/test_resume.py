"""A run that is killed goes on where it was, and ends with the bytes of one that nobody disturbed."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import command, run, said

pytestmark = [pytest.mark.keras, pytest.mark.slow]

RESUMED = Path(__file__).with_name("resumed")
KILLS = 10
LONGEST_WAIT_S = 300.0


def place(folder):
    """The recipe in a folder of its own."""
    folder.mkdir()
    for name in ("model.py", "recipe.toml"):
        shutil.copy(RESUMED / name, folder)
    return folder


def states(folder, phase=""):
    """The state that a run keeps of a phase, if there is one, and when it was written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "runs" / ".work").glob(f"{phase}*.state")}


def killed(folder, delay_s, phase=""):
    """What a run said that was killed so long after it first saved how far it had come, in this phase or in any."""
    before = states(folder, phase)
    with subprocess.Popen(
        command("prune", "recipe.toml"), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    ) as process:  # fmt: skip
        end = time.monotonic() + LONGEST_WAIT_S
        while process.poll() is None and time.monotonic() < end:
            if not states(folder, phase).items() <= before.items():
                break
            time.sleep(0.002)
        time.sleep(delay_s)
        process.kill()
        out, err = process.communicate()
    assert (process.returncode, out) == (-9, "")
    return said(err)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = place(tmp_path_factory.mktemp("run") / "undisturbed")
    finished = run(folder, "prune", "recipe.toml", "--json")
    assert finished.code == 0, finished.err
    return folder, finished


def test_ten_kills_leave_no_trace_in_the_result(undisturbed, tmp_path):
    folder = place(tmp_path / "killed")
    rng = np.random.default_rng(6)
    phases = ["train-dense"] * (KILLS // 2) + ["train-pruned"] * (KILLS - KILLS // 2)
    said = [line for phase in phases for line in killed(folder, rng.uniform(0.0, 0.25), phase)]
    finished = run(folder, "prune", "recipe.toml", "--json")
    assert finished.code == 0, finished.err
    resumed = [line for line in (*said, *finished.said) if ": goes on after step " in line]
    assert len(resumed) >= KILLS - 1  # one at most was killed between the phases
    assert any(line.startswith("train pruned: goes on after step ") for line in resumed)

    first, result = undisturbed
    assert (folder / "runs" / "pruned.keras").read_bytes() == (first / "runs" / "pruned.keras").read_bytes()
    assert finished.json == result.json
    for name in ("dense.keras", "steps.json", "record.json", "record.npz"):
        assert (folder / "runs" / ".work" / name).read_bytes() == (first / "runs" / ".work" / name).read_bytes()
    left = sorted(path.name for path in (folder / "runs" / ".work").iterdir())
    assert left == [".gitignore", "dense.keras", "lock", "pruned.keras", "record.json", "record.npz", "steps.json"]
    numbers = json.loads((folder / "runs" / ".work" / "record.json").read_text())
    assert [refresh["step"] for refresh in numbers["refreshes"]] == list(range(100, 801, 7))
    assert [metrics["step"] for metrics in numbers["metrics"]] == list(range(1, 961))


def test_another_recipe_never_goes_on_from_what_was_left(tmp_path):
    folder = place(tmp_path / "changed")
    killed(folder, 0.1)
    (old,) = states(folder)
    text = (folder / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(text.replace("[train]\n", "[train]\nseed = 1\n"))
    assert not any("goes on" in line for line in killed(folder, 0.1))
    (new,) = states(folder)
    assert new != old


def test_a_damaged_state_is_named_and_training_begins_again(undisturbed, tmp_path):
    folder = place(tmp_path / "damaged")
    killed(folder, 0.1)
    (state,) = (folder / "runs" / ".work").glob("*.state")
    state.write_bytes(state.read_bytes()[:1000])
    finished = run(folder, "prune", "recipe.toml", "--json")
    assert finished.code == 0, finished.err
    assert any("is no sparsetool training state, or a damaged one" in line for line in finished.said)
    assert finished.json == undisturbed[1].json


def test_a_second_run_in_the_same_folder_is_refused_in_one_line(tmp_path):
    folder = place(tmp_path / "shared")
    with subprocess.Popen(
        command("prune", "recipe.toml"), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as first:  # fmt: skip
        assert first.stderr is not None
        assert first.stderr.readline() == "train dense ...\n"
        line = run(folder, "prune", "recipe.toml").error(2)
        way_out = "wait for it, or name another folder for the results"
        assert line == f"runs: another run, process {first.pid}, is at work there; {way_out}"
        _, err = first.communicate()
    assert first.returncode == 0, err
    assert json.loads((folder / "runs" / ".work" / "steps.json").read_text()).keys() == {"train dense", "train pruned"}
