"""What a recipe's steps are called and what they are made of; whole runs are in tests/integration."""

import pytest
from pydantic import ValidationError

from sparsetool.pipeline.recipe_run import FLOATS
from sparsetool.pipeline.training import DENSE, PRUNED, schedule_of
from sparsetool.prune import ConstantSparsity, PolynomialDecay
from sparsetool.recipe import ArtifactSection, PruneSection


@pytest.mark.parametrize("file", [*FLOATS.values(), DENSE, PRUNED])
def test_no_artifact_has_a_file_of_the_name_of_what_it_is_made_from(file):
    """They lie in one folder, and an artifact may be called after its checkpoint."""
    stem, dot, suffix = file.partition(".")
    if f"{dot}{suffix}" == ".tflite":
        with pytest.raises(ValidationError, match="name"):
            ArtifactSection(name=stem)
    else:
        assert not file.endswith((".tflite", ".tflite.zst"))


@pytest.mark.parametrize(
    ("described", "schedule"),
    [
        (
            {"type": "ConstantSparsity", "target_sparsity": 0.75, "begin_step": 5, "frequency": 7},
            ConstantSparsity(target_sparsity=0.75, begin_step=5, end_step=-1, frequency=7),
        ),
        (
            {
                "type": "PolynomialDecay",
                "initial_sparsity": 0.25,
                "final_sparsity": 0.75,
                "begin_step": 5,
                "end_step": 50,
                "power": 2,
                "frequency": 7,
            },
            PolynomialDecay(
                initial_sparsity=0.25, final_sparsity=0.75, begin_step=5, end_step=50, power=2, frequency=7
            ),
        ),
    ],
)
def test_a_schedule_means_what_the_recipe_says(described, schedule):
    assert schedule_of(PruneSection(epochs=1, schedule=described)) == schedule
