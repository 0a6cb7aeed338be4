"""The models of all stages of one artifact in one file, for what is measured on them later."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sparsetool.pipeline.conversion import Stage


def write_stages(path: Path, stages: Sequence[Stage]) -> None:
    """Write the models, in order; the same stages give the same bytes."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **{stage.name: np.frombuffer(stage.data, np.uint8) for stage in stages})


def read_stages(path: Path) -> tuple[Stage, ...]:
    """The models by their stages' names, in order, without what the stages did."""
    with np.load(path, allow_pickle=False) as arrays:
        return tuple(Stage(name=name, data=arrays[name].tobytes()) for name in arrays.files)
