"""What the artifacts of a recipe are made from and held against, wherever it comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy.typing as npt

from sparsetool.export import export_keras
from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.identity import sha256_of
from sparsetool.pipeline.run_folder import RunFolder, sha256
from sparsetool.pipeline.sample_source import labels_named, samples_named
from sparsetool.pipeline.sources import load_source
from sparsetool.pipeline.training import DENSE, PRUNED, RECORDED, train_and_prune
from sparsetool.pipeline.user_model import UserModel
from sparsetool.pipeline.versions import installed_versions
from sparsetool.recipe import Phases, Recipe
from sparsetool.report.records import TrainingRecord
from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.samples import RandomSamples, Samples
from sparsetool_converters.samples_digest import samples_digest

FLOATS = {"dense": "_dense.tflite", "pruned": "_pruned.tflite"}  # no artifact can have such a name
_SOURCE = "_source.tflite"


@dataclass(frozen=True, kw_only=True)
class Material:
    """What artifacts are made from and held against.

    Attributes:
        models: name and bytes of the model to convert, by the checkpoint that it is of.
        samples: gives what outputs are compared on.
        calibration: gives what static recipes take their ranges from, if there is anything.
        test: gives samples and their right answers; None where there are none.
        inputs: what samples and calibration depend on, as plain data.
        test_inputs: what `test` depends on, likewise.
        training: what was trained, if anything was.
        published: files of the run folder that are published beside the artifacts.
    """

    models: Mapping[str, tuple[str, bytes]]
    samples: Callable[[], Samples]
    calibration: Callable[[], Samples | None]
    test: Callable[[], tuple[Samples, npt.NDArray[Any]]] | None
    inputs: Mapping[str, Any]
    test_inputs: Mapping[str, Any]
    training: TrainingRecord | None = None
    published: tuple[str, ...] = ()


def trained_material(
    recipe: Recipe, phases: Phases, user: UserModel, folder: RunFolder, listener: Listener, *, home: Path
) -> Material:
    """Train and prune the model of a Python file, or reuse what was trained.

    Raises:
        SparseToolError: see `train_and_prune`.
    """
    training = train_and_prune(phases, user, folder, listener, home=home)
    _export(folder, listener)
    n_samples = recipe.verify.samples
    assert isinstance(n_samples, int)  # of a model that is trained
    return Material(
        models={checkpoint: (name, (folder.path / name).read_bytes()) for checkpoint, name in FLOATS.items()},
        samples=lambda: user.data["validation"][0][:n_samples],
        calibration=lambda: user.data["train"][0][: recipe.convert.calibration_samples],
        test=lambda: user.data["test"],
        inputs={
            "model": sha256(user.source),
            "samples": n_samples,
            "calibration_samples": recipe.convert.calibration_samples,
        },
        test_inputs={"model": sha256(user.source)},
        training=training,
        published=(PRUNED, *RECORDED),
    )


def given_material(recipe: Recipe, source: Path, folder: RunFolder, listener: Listener, *, home: Path) -> Material:
    """Read a model that is there, and the samples that the recipe names.

    Args:
        recipe: the recipe.
        source: its model.
        folder: keeps what a Keras model or SavedModel was exported to.
        listener: hears of progress.
        home: the recipe's folder.

    Raises:
        ModelFormatError: it is no model.
        MissingExtraError: a Keras model or SavedModel, and TensorFlow is not installed.
        CalibrationDataError: samples or labels are missing or damaged.
        UsageError: the Python file of samples fails.
    """
    read = cache(lambda text: samples_named(str(home / text)))
    wanted, calibration, answers = recipe.verify.samples, recipe.convert.calibration, recipe.verify.labels
    samples = read(wanted) if isinstance(wanted, str) else RandomSamples(n_samples=wanted or 1)
    ranges = None if calibration is None else read(calibration)
    labels = None if answers is None else labels_named(str(home / answers))
    model = _read(source, folder, listener)
    digests = {
        "samples": samples_digest(samples),
        "calibration": None if ranges is None else samples_digest(ranges),
    }
    return Material(
        models=dict.fromkeys(FLOATS, (source.name, model)),
        samples=lambda: samples,
        calibration=lambda: ranges,
        test=None if labels is None else (lambda: (samples, labels)),
        inputs=digests,
        test_inputs={"samples": digests["samples"], "labels": None if labels is None else samples_digest(labels)},
    )


def check_given(source: Path) -> None:
    """Raise ModelFormatError if nothing is there under the name of a model."""
    if not source.exists():
        raise ModelFormatError(str(source), "cannot be read: No such file or directory")


def _read(source: Path, folder: RunFolder, listener: Listener) -> bytes:
    if not source.is_dir() and source.suffix != ".keras":
        return load_source(source)

    def export(destination: Path) -> dict[str, Any]:
        listener.progress("export", 0, 1)
        (destination / _SOURCE).write_bytes(load_source(source))
        listener.progress("export", 1, 1)
        return {}

    folder.step("export", {"source": sha256_of(source), **installed_versions("tensorflow")}, (_SOURCE,), export)
    return (folder.path / _SOURCE).read_bytes()


def _export(folder: RunFolder, listener: Listener) -> None:
    def export(destination: Path) -> dict[str, Any]:
        for done, (checkpoint, name) in enumerate(((DENSE, FLOATS["dense"]), (PRUNED, FLOATS["pruned"]))):
            listener.progress("export", done, 2)
            (destination / name).write_bytes(export_keras(folder.path / checkpoint))
        listener.progress("export", 2, 2)
        return {}

    inputs = {
        **{name: sha256((folder.path / name).read_bytes()) for name in (DENSE, PRUNED)},
        **installed_versions("tensorflow"),
    }
    folder.step("export", inputs, tuple(FLOATS.values()), export)
