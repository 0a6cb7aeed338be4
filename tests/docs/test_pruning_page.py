"""What docs/pruning.md says holds."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import sparsetool as st
from sparsetool import prune
from sparsetool.recipe import PruneSection

PAGE = Path(__file__).parents[2] / "docs" / "pruning.md"


def page() -> str:
    return PAGE.read_text("utf-8")


def test_every_public_name_on_the_page_is_there() -> None:
    names = set(re.findall(r"\bst\.([A-Za-z_]+)", page()))
    assert names <= set(st.__all__) | set(prune.__all__)
    assert names - set(st.__all__) == set()


def test_the_worked_matrix_is_what_each_structure_makes_of_it() -> None:
    lines = page().splitlines()
    head = next(i for i, line in enumerate(lines) if "Block((1, 2))" in line and "Channels()" in line)
    structures = [prune.Block(), prune.Block((1, 2)), prune.Block((1, 2), "MAX"), prune.NOfM(2, 4), prune.Channels()]
    assert lines[head].split("  ")[0] == ""
    rows = np.array([line.split() for line in lines[head + 1 : head + 5]], float)  # (4, 4 + 4 * 5)
    scores, masks = rows[:, :4], rows[:, 4:].reshape(4, 5, 4).transpose(1, 0, 2)
    for structure, mask in zip(structures, masks, strict=True):
        assert np.array_equal(prune.keep_mask(scores, 0.5, structure), mask.astype(bool)), structure


def test_the_recipe_on_the_page_is_one() -> None:
    block = page().split("## In a recipe")[1].split("`for_target")[0]
    recipe = tomllib.loads("\n".join(line.removeprefix("    ") for line in block.splitlines()))
    section = PruneSection.model_validate(recipe["prune"])
    assert section.block_size == (1, 4)
    assert section.rules[0].target_sparsity == 0.95


@pytest.mark.keras
def test_the_first_example_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.chdir(tmp_path)
    block = page().split("# Pruning")[1].split("Each pruned variable")[0]
    code = "\n".join(line.removeprefix("    ") for line in block.splitlines() if line.startswith("    "))
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])
    model.compile("sgd", "mse")
    x = np.zeros((220, 4), np.float32)
    small = code.replace("epochs=7", "epochs=7, batch_size=1, verbose=0")
    exec(compile(small, str(PAGE), "exec"), {"model": model, "x": x, "y": np.zeros((220, 5), np.float32)})
    kernel = keras.saving.load_model("pruned.keras").layers[-1].kernel.numpy()
    assert np.count_nonzero(kernel) == 2
