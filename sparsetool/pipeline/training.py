"""The steps of a recipe that need Keras: the dense phase, and the pruning phase."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.run_folder import RunFolder, sha256
from sparsetool.pipeline.user_model import UserModel
from sparsetool.pipeline.versions import installed_versions, source_digest
from sparsetool.prune import Block, ConstantSparsity, PolynomialDecay, Schedule
from sparsetool.recipe import ConstantSparsitySection, PruneSection, Recipe, TrainSection
from sparsetool.report.records import LayerRecord, TrainingRecord
from sparsetool_converters.errors import MissingExtraError

if TYPE_CHECKING:
    from sparsetool.prune import TrainingSettings

DENSE, PRUNED = "dense.keras", "pruned.keras"
_SETTINGS = {"epochs", "batch_size", "learning_rate", "decay", "seed"}


def train_and_prune(recipe: Recipe, user: UserModel, folder: RunFolder, listener: Listener) -> TrainingRecord:
    """Make `dense.keras` and `pruned.keras` in the folder, or reuse them.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        PruningError: a schedule or choice of variables that cannot be carried out.
        VerificationError: a layer that does not have the sparsity that was asked for.
    """
    versions = installed_versions("tensorflow", "keras")
    if None in versions.values():
        raise MissingExtraError("tensorflow", "train")
    versions["sparsetool.prune"] = source_digest("sparsetool.prune")

    def train(destination: Path) -> dict[str, Any]:
        from sparsetool.prune import accuracy, make_deterministic, save_checkpoint, train

        settings = _settings(recipe.train)
        make_deterministic(settings.seed)  # for the first weights
        model = user.build()
        train(model, user.data["train"], settings, on_progress=_told(listener, "train dense"))
        save_checkpoint(model, destination / DENSE)
        return {"validation_accuracy": accuracy(model, user.data["validation"])}

    def prune(destination: Path) -> dict[str, Any]:
        from sparsetool.prune import Pruner, accuracy, load_checkpoint, save_checkpoint, train

        section = recipe.prune
        model = load_checkpoint(folder.path / DENSE)
        pruner = Pruner(
            model,
            schedule_of(section),
            structure=Block(section.block_size),
            include=section.include,
            exclude=section.exclude,
        )
        train(
            model,
            user.data["train"],
            _settings(section),
            callbacks=[pruner.callback()],
            on_progress=_told(listener, "train pruned"),
        )
        layers = pruner.check()
        pruner.strip()
        save_checkpoint(model, destination / PRUNED)
        records = [
            LayerRecord(variable=v.variable, weights=v.weights, zeros=v.zeros, target_zeros=v.target_zeros)
            for v in layers
        ]
        return {
            "validation_accuracy": accuracy(model, user.data["validation"]),
            "layers": [asdict(record) for record in records],
        }

    inputs = {"model": sha256(user.source), "train": recipe.train.model_dump(mode="json"), "versions": versions}
    dense = folder.step("train dense", inputs, (DENSE,), train)
    inputs |= {"dense": sha256((folder.path / DENSE).read_bytes()), "prune": recipe.prune.model_dump(mode="json")}
    pruned = folder.step("train pruned", inputs, (PRUNED,), prune)
    return TrainingRecord(
        dense_accuracy=dense["validation_accuracy"],
        pruned_accuracy=pruned["validation_accuracy"],
        checkpoint_bytes=(folder.path / PRUNED).stat().st_size,
        layers=tuple(LayerRecord(**layer) for layer in pruned["layers"]),
    )


def schedule_of(section: PruneSection) -> Schedule:
    """The schedule that a recipe describes."""
    fields = section.schedule.model_dump(exclude={"type"})
    if isinstance(section.schedule, ConstantSparsitySection):
        return ConstantSparsity(**fields)
    return PolynomialDecay(**fields)


def _settings(section: TrainSection) -> "TrainingSettings":
    from sparsetool.prune import TrainingSettings

    return TrainingSettings(**section.model_dump(include=_SETTINGS))


def _told(listener: Listener, task: str) -> Any:
    def on_progress(done: int, total: int, metrics: Any) -> None:
        detail = f"loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.4f}" if metrics else ""
        listener.progress(task, done, total, detail)

    return on_progress
