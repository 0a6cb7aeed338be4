"""Real processes: what they measure, and what comes of a model that cannot be measured."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.bench import QUANTITIES, Contestant, Measurements, Setup, measure
from sparsetool.bench.process import TimedProcess
from sparsetool.bench.rounds import FEWEST_ROUNDS, MOST_ROUNDS, _pairs, _Scouted
from sparsetool_converters.errors import CalibrationDataError, TargetError, VerificationError
from sparsetool_converters.samples import RandomSamples
from sparsetool_converters.targets import KernelSet

SETUP = Setup(kernel_set=KernelSet.DEFAULT, threads=1, timeout_s=60)


@pytest.fixture
def dense(weight) -> bytes:
    return mlp([weight])


def timed(
    folder: Path, reference: bytes, candidate: bytes, *, setup: Setup = SETUP, samples=None, time_s: float = 1.0
) -> tuple[Measurements, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    found = measure(
        Contestant(name="dense", model=reference),
        Contestant(name="small", model=candidate),
        samples=RandomSamples(n_samples=2) if samples is None else samples,
        setup=setup,
        time_s=time_s,
        folder=folder,
        on_round=lambda done, total: told.append((done, total)),
    )
    return found, told


def test_every_round_measures_every_quantity_of_both_models(tmp_path, dense):
    found, told = timed(tmp_path, dense, dense, setup=Setup(kernel_set=KernelSet.DEFAULT, threads=2, timeout_s=60))
    rounds = len(found.log_ratios["load_ms"])
    assert FEWEST_ROUNDS <= rounds <= MOST_ROUNDS
    assert rounds % 2 == 0
    assert {len(values) for values in found.log_ratios.values()} == {rounds}
    for values in found.values:
        assert all(value > 0 for name in QUANTITIES for value in values[name])
        assert len(values["load_ms"]) == len(values["resident_bytes"]) == rounds
        assert len(values["steady_ms"]) >= 2 * rounds
    assert told[0] == (0, MOST_ROUNDS)
    assert told[-1] == (MOST_ROUNDS, MOST_ROUNDS)


def test_resident_memory_is_what_the_weights_take(tmp_path):
    large = mlp([np.random.default_rng(0).random((1024, 2048), np.float32)])
    (tmp_path / "model.tflite").write_bytes(large)
    np.save(tmp_path / "input_0.npy", np.zeros((1, 1, 2048), np.float32))
    with TimedProcess("large", tmp_path / "model.tflite", tmp_path, SETUP) as process:
        process.ask("load")
        resident = process.ask("first")["resident_bytes"]
    assert len(large) <= resident <= 3 * len(large)  # the file's pages, and packed once more


def test_a_model_that_the_runtime_refuses_is_one_for_another_target(tmp_path, models, dense):
    with pytest.raises(TargetError, match=r"default kernels: small failed at load: .*Unheard"):
        timed(tmp_path, dense, models.custom_op().read_bytes())


def test_a_crash_is_told_and_survived(tmp_path, models, dense):
    weight = np.ones((512, 512), np.float32)
    crashing = models.blocks_of_four_rows(weight).read_bytes()
    with pytest.raises(VerificationError, match=r"^bench: small: crashed with SIG"):
        timed(tmp_path, mlp([weight]), crashing)


def test_an_endless_model_ends_with_its_time(tmp_path, models):
    endless = models.endless().read_bytes()
    start = time.monotonic()
    with pytest.raises(VerificationError, match="dense: did not answer within 2 s, at first; give it more time"):
        timed(tmp_path, endless, endless, setup=Setup(kernel_set=KernelSet.DEFAULT, threads=1, timeout_s=2))
    assert time.monotonic() - start < 60


def test_no_process_is_left_behind(tmp_path, models, dense):
    (tmp_path / "model.tflite").write_bytes(dense)
    with TimedProcess("dense", tmp_path / "model.tflite", tmp_path, SETUP) as process:
        pid = process._child.pid
        process.pause()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert [path.name for path in tmp_path.glob("stderr-*")] == []


def test_samples_must_fit_both_models(tmp_path, dense):
    with pytest.raises(CalibrationDataError, match="takes samples of shape"):
        timed(tmp_path, dense, dense, samples=np.zeros((2, 3), np.float32))


def test_samples_of_another_length_resize_the_input(tmp_path, models):
    model = models.difference(shape=(1, 2), signature=(-1, 2)).read_bytes()
    samples = [np.zeros((3, 5, 2), np.float32)] * 2
    place = tmp_path / "alone"
    place.mkdir()
    (place / "model.tflite").write_bytes(model)
    for position, array in enumerate(samples):
        np.save(place / f"input_{position}.npy", array)
    with TimedProcess("long", place / "model.tflite", place, SETUP) as process:
        process.ask("load")
        process.ask("first")
        assert process.ask("steady", invokes=2, sample=7)["ms"] > 0


@pytest.mark.parametrize(
    ("time_s", "once_s", "pair_s", "pairs"),
    [(20, 0.2, 0.01, 60), (20, 0.2, 0.02, 52), (20, 0.5, 0.05, 20), (20, 2.0, 0.01, 2), (20, 1.2, 0.01, 20)],
)
def test_a_round_has_enough_pairs_before_there_are_many_rounds(time_s, once_s, pair_s, pairs):
    scouted = [_Scouted(invokes=1, round_s=once_s / 2, measurement_s=pair_s / 2)] * 2
    assert _pairs(scouted, time_s) == pairs
