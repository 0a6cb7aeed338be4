"""The recipe: one TOML file that says how a model is trained, pruned, converted, verified and limited in size."""

from sparsetool.recipe.artifacts import (
    OUTPUT_GATES,
    ArtifactSection,
    BudgetSection,
    ConvertSection,
    GatesSection,
    SizesSection,
    VerifySection,
)
from sparsetool.recipe.inheritance import RANDOM_SAMPLES, artifact_named
from sparsetool.recipe.listing import listed
from sparsetool.recipe.loading import Reading, load_recipe, read_recipe
from sparsetool.recipe.schema import recipe_schema
from sparsetool.recipe.toml_text import toml_text
from sparsetool.recipe.training import (
    CallableScheduleSection,
    ConstantSparsitySection,
    ForTargetSection,
    PolynomialDecaySection,
    PruneSection,
    RuleSection,
    StructureSection,
    TrainSection,
)
from sparsetool.recipe.whole import ModelSection, Phases, Recipe

__all__ = [
    "OUTPUT_GATES",
    "RANDOM_SAMPLES",
    "ArtifactSection",
    "BudgetSection",
    "CallableScheduleSection",
    "ConstantSparsitySection",
    "ConvertSection",
    "ForTargetSection",
    "GatesSection",
    "ModelSection",
    "Phases",
    "PolynomialDecaySection",
    "PruneSection",
    "Reading",
    "Recipe",
    "RuleSection",
    "SizesSection",
    "StructureSection",
    "TrainSection",
    "VerifySection",
    "artifact_named",
    "listed",
    "load_recipe",
    "read_recipe",
    "recipe_schema",
    "toml_text",
]
