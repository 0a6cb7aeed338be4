import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from sparsetool.verify import (
    ALL_KERNEL_SETS,
    CrashedRun,
    FailedRun,
    FinishedRun,
    KernelSet,
    RandomSamples,
    TimedOutRun,
    run_model,
)
from sparsetool_converters.errors import CalibrationDataError

ONE = RandomSamples(n_samples=1)
HALVES = np.random.default_rng(1).integers(-8, 9, (5, 16)).astype(np.float32) / 2  # exact in float32


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path, monkeypatch):
    """Whatever a test does to a run, no file and no child process remains."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("kernel_set", ALL_KERNEL_SETS)
def test_every_sample_is_answered_in_order(models, weight, kernel_set):
    run = run_model(models.fully_connected(weight), HALVES, kernel_set, timeout_s=60)
    assert isinstance(run, FinishedRun)
    assert run.kernel_set == kernel_set
    assert run.n_samples == 5
    assert [info.name for info in run.inputs] == ["x"]
    (output,) = run.outputs
    assert output.info.name == "scores"
    np.testing.assert_array_equal(output.values[:, 0], HALVES @ weight.T)


def test_state_lives_from_sample_to_sample_and_not_from_run_to_run(models):
    model, ones = models.running_sum(), np.ones((4, 1), np.float32)
    for _ in range(2):
        run = run_model(model, ones, KernelSet.DEFAULT, timeout_s=60)
        assert run.outputs[0].values.ravel().tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("kernel_set", ALL_KERNEL_SETS)
def test_real_values_for_a_quantized_input_are_quantized_and_outputs_stay_raw(models, weight, kernel_set):
    run = run_model(models.quantized_fully_connected(weight), HALVES / 8, kernel_set, timeout_s=60)
    (output,) = run.outputs
    assert (output.values.dtype, output.info.scale, output.info.zero_point) == (np.int8, 0.5, -5)
    np.testing.assert_allclose(output.info.dequantize(output.values)[:, 0], HALVES / 8 @ weight.T, atol=0.25)


def test_an_unknown_dimension_takes_the_size_of_the_samples(models):
    model = models.difference(shape=(1, 1, 2), signature=(-1, -1, 2))
    left = np.arange(48, dtype=np.float32).reshape(2, 3, 4, 2)
    right = left / 2
    run = run_model(model, {"left": left, "right": right}, KernelSet.DEFAULT, timeout_s=60)
    np.testing.assert_array_equal(run.outputs[0].values, left - right)


def test_an_operator_without_kernel_is_a_failed_run(models):
    run = run_model(models.custom_op(), ONE, KernelSet.DEFAULT, timeout_s=60)
    assert isinstance(run, FailedRun)
    assert run.step == "allocate"
    assert "Unheard" in run.problem
    assert "\n" not in run.problem


@pytest.mark.parametrize("damage", ["empty", "half", "text", "missing"])
def test_a_damaged_file_is_a_failed_run(models, weight, damage):
    path = models.fully_connected(weight)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "text": b"not a model" * 9}[damage])
    run = run_model(path, ONE, KernelSet.DEFAULT, timeout_s=60)
    assert isinstance(run, FailedRun)
    assert run.step == "load"
    assert run.message


def test_a_crash_is_a_record_with_the_name_of_the_signal(models):
    path = models.blocks_of_four_rows(np.ones((512, 256)))
    run = run_model(path, ONE, KernelSet.DEFAULT, timeout_s=60)
    assert isinstance(run, CrashedRun)
    assert (run.signal_name, run.step) == ("SIGSEGV", "sample 0")


def test_an_endless_loop_times_out(models):
    run = run_model(models.endless(), ONE, KernelSet.NO_DELEGATES, timeout_s=1.0)
    assert isinstance(run, TimedOutRun)
    assert "1 s, at sample 0" in run.problem


def test_no_time_at_all_times_out_at_load(models, weight):
    run = run_model(models.fully_connected(weight), ONE, KernelSet.DEFAULT, timeout_s=0.0)
    assert isinstance(run, TimedOutRun)
    assert run.step == "load"


def test_progress_counts_every_sample(models, weight):
    seen = []
    run_model(
        models.fully_connected(weight),
        HALVES,
        KernelSet.DEFAULT,
        timeout_s=60,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(done, 5) for done in range(6)]


def test_samples_that_do_not_fit_end_the_child(models, weight):
    with pytest.raises(CalibrationDataError, match=r"\[n, 1, 16\] or \[n, 16\]; got \[5, 15\]"):
        run_model(models.fully_connected(weight), HALVES[:, 1:], KernelSet.DEFAULT, timeout_s=60)


def test_ctrl_c_ends_the_child(models):
    def interrupt(done, total):
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_model(models.endless(), ONE, KernelSet.DEFAULT, timeout_s=60, on_progress=interrupt)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the child through /proc")
def test_a_child_whose_parent_is_killed_ends_from_within_an_endless_loop(models, tmp_path):
    code = (
        "import sys; from sparsetool.verify import *; "
        "run_model(sys.argv[1], RandomSamples(n_samples=1), KernelSet.DEFAULT, timeout_s=60, "
        "on_progress=lambda done, total: print(done, flush=True))"
    )
    command = [sys.executable, "-c", code, str(models.endless())]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # a killed parent cannot tidy up
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout.readline() == b"0\n"
        (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.kill()
    give_up = time.monotonic() + 30
    while _is_running(child) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert not _is_running(child)


def _is_running(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_interpreter_is_never_loaded_here():
    code = (
        "import sys, sparsetool.verify; print({'ai_edge_litert.interpreter', 'tensorflow', 'keras'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
