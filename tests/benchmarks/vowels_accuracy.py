"""What pruning costs the recurrent reference model in accuracy, over three seeds."""

import re
import shutil
from pathlib import Path
from statistics import mean

from figures import Figure

from sparsetool.cli.options import screen
from sparsetool.pipeline.recipe_run import WORK, prune_recipe
from sparsetool.pipeline.training import DENSE, PRUNED
from sparsetool.pipeline.user_model import UserModel

MODEL = Path(__file__).parents[2] / "models" / "vowels_gru"
SEEDS = (0, 1, 2)
MOST_POINTS_LOST = 1.0


def measure(folder: Path) -> list[Figure]:
    """Train and prune by the model's recipe with each seed, below its `runs`, where a measurement cut short goes on."""
    del folder
    from sparsetool.prune import accuracy, load_checkpoint

    test = UserModel(MODEL / "model.py").data["test"]
    figures, lost = [], []
    for seed in SEEDS:
        runs = _trained(seed)
        percent = {name: 100 * accuracy(load_checkpoint(runs / WORK / name), test) for name in (DENSE, PRUNED)}
        lost.append(percent[DENSE] - percent[PRUNED])
        figures += [
            Figure(name=f"vowels_gru, seed {seed}: {name}, test accuracy", value=value, unit="%")
            for name, value in percent.items()
        ]
    name = f"vowels_gru: lost by pruning, mean of {len(SEEDS)} seeds"
    return [*figures, Figure(name=name, value=mean(lost), unit="pts", limit=MOST_POINTS_LOST)]


def _trained(seed: int) -> Path:
    home = MODEL / "runs" / "seeds" / str(seed)
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(MODEL / "model.py", home)
    recipe = re.sub(r"(?m)^seed = \d+$", f"seed = {seed}", (MODEL / "recipe.toml").read_text("utf-8"))
    (home / "recipe.toml").write_text(recipe, "utf-8")
    prune_recipe(home / "recipe.toml", listener=screen)
    return home / "runs"
