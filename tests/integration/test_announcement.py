"""The example of TensorFlow's announcement of pruning, from a recipe as it stands there: it gives its curve."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import run

from sparsetool.report.pruning_record import read_record

pytestmark = [pytest.mark.keras, pytest.mark.slow]

ANNOUNCEMENT = Path(__file__).with_name("announcement")
STEPS = range(2000, 10_001, 100)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The recipe carried out once: its folder, what the process said, and the record."""
    folder = tmp_path_factory.mktemp("announcement")
    for file in ("model.py", "recipe.toml"):
        shutil.copy(ANNOUNCEMENT / file, folder)
    finished = run(folder, "prune", "recipe.toml", "--record", "record", "--json")
    assert finished.code == 0, finished.err
    return SimpleNamespace(folder=folder, finished=finished, record=read_record(folder / "record"))


def formula(step):
    """Of the announcement: cubic, from 0 to 90 %."""
    return 0.9 + (0.0 - 0.9) * (1 - (step - 2000) / (10_000 - 2000)) ** 3


def test_masks_are_refreshed_every_100_steps_from_2000_to_10000(recorded):
    numbers = recorded.record.numbers
    assert (numbers.steps, numbers.steps_per_epoch) == (10_100, 5050)
    assert [refresh.step for refresh in numbers.refreshes] == list(STEPS)


def test_every_refresh_asks_for_the_sparsity_of_the_formula(recorded):
    for refresh in recorded.record.numbers.refreshes:
        assert refresh.asked == pytest.approx(formula(refresh.step), abs=1e-7)  # in float32, as TFMOT
    assert recorded.record.numbers.refreshes[-1].asked == 0.9


def test_every_layer_has_exactly_the_zeros_that_were_asked_for(recorded):
    numbers = recorded.record.numbers
    for refresh in numbers.refreshes:
        for variable, zeros in zip(numbers.variables, refresh.zeros, strict=True):
            assert abs(zeros - refresh.asked * variable.weights) <= 0.5 + 1e-6, (refresh.step, variable.variable)


def test_recorded_masks_have_those_zeros(recorded):
    numbers = recorded.record.numbers
    by_step = {refresh.step: refresh.zeros for refresh in numbers.refreshes}
    assert numbers.mask_steps[0] == 2000
    assert numbers.mask_steps[-1] == 10_000
    for index, corner in enumerate(recorded.record.corners):  # small enough to be there as a whole
        zeros = [int(np.sum(~mask)) for mask in corner.masks]
        assert zeros == [by_step[step][index] for step in numbers.mask_steps]
        assert not np.any(corner.masks[1:] & ~corner.masks[:-1])  # what is pruned by magnitude stays pruned


def test_zeros_hold_to_the_end(recorded):
    final = recorded.record.numbers.refreshes[-1].zeros
    assert tuple(layer["zeros"] for layer in recorded.finished.json["layers"]) == final
    assert tuple(layer["target_zeros"] for layer in recorded.finished.json["layers"]) == final


def test_the_loss_is_recorded_over_the_whole_run(recorded):
    metrics = recorded.record.numbers.metrics
    assert set(metrics[0].values) == {"loss", "accuracy"}
    assert metrics[-1].step == 10_100
    assert metrics[-1].values["loss"] < metrics[0].values["loss"]


def test_a_second_run_reuses_the_record_and_gives_the_same_bytes(recorded):
    files = ("record.json", "record.npz")
    finished = run(recorded.folder, "prune", "recipe.toml", "--record", "again")
    assert finished.code == 0, finished.err
    assert finished.said == ["train dense: unchanged, reused", "train pruned: unchanged, reused"]
    for file in files:
        assert (recorded.folder / "again" / file).read_bytes() == (recorded.folder / "record" / file).read_bytes()


def test_the_record_can_be_drawn(recorded):
    pytest.importorskip("matplotlib")
    drawn = run(recorded.folder, "plot", "record", "-o", "pictures", "--tensor", "logits/kernel")
    assert drawn.code == 0, drawn.err
    pictures = sorted(path.name for path in (recorded.folder / "pictures").iterdir())
    assert pictures == [
        "layers.svg",
        "mask-logits-kernel.png",
        "pruning-logits-kernel.gif",
        "ramp-up.svg",
    ]
    assert drawn.out.splitlines() == [f"pictures/{name}" for name in ("ramp-up.svg", "layers.svg", *pictures[1:3])]


def test_a_dry_run_tells_the_same_curve(recorded):
    planned = run(recorded.folder, "prune", "recipe.toml", "--dry-run", "--json")
    assert planned.code == 0, planned.err
    told = [(refresh["step"], refresh["sparsity"]) for refresh in planned.json["refreshes"]]
    assert told == [(refresh.step, refresh.asked) for refresh in recorded.record.numbers.refreshes]
