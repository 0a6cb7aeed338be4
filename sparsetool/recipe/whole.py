"""A whole recipe, as data."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from sparsetool.recipe.artifacts import ArtifactSection, ConvertSection, SizesSection, VerifySection
from sparsetool.recipe.training import PruneSection, TrainSection
from sparsetool.recipe_fields import Section, Source

PYTHON = ".py"


class ModelSection(Section):
    """Where the model comes from.

    Attributes:
        source: relative to the recipe: a Python file with `build()` returning a Keras model and `data()` returning
            {"train": (x, y), "validation": (x, y), "test": (x, y)}, which is trained and pruned; or a model as it is,
            .tflite, .tflz, .tflite.zst, .keras or a SavedModel folder.
    """

    source: Source


@dataclass(frozen=True, kw_only=True)
class Phases:
    """How a model is trained, then pruned."""

    train: TrainSection
    prune: PruneSection


class Recipe(Section):
    """A whole recipe.

    Attributes:
        name: what reports call it; the name of its file if left out.
        model: where the model comes from.
        train: the dense phase of a model that is trained.
        prune: the pruning phase of it.
        convert: what holds for all artifacts.
        verify: how they are verified.
        sizes: limits on their sizes.
        artifacts: the files to make, in order.
    """

    name: Annotated[str, Field(min_length=1)] | None = None
    model: ModelSection | None = None
    train: TrainSection | None = None
    prune: PruneSection | None = None
    convert: ConvertSection = ConvertSection()
    verify: VerifySection = VerifySection()
    sizes: SizesSection = SizesSection()
    artifacts: tuple[ArtifactSection, ...] = ()

    @property
    def trains(self) -> bool:
        """Whether the model is one that is trained."""
        return self.model is not None and self.model.source.endswith(PYTHON)

    @property
    def phases(self) -> Phases | None:
        """The phases of a model that is trained, None of any other."""
        if self.train is None or self.prune is None:
            return None
        return Phases(train=self.train, prune=self.prune)
