"""The steps of a recipe that need Keras: the dense phase, and the pruning phase."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.run_folder import RunFolder, sha256
from sparsetool.pipeline.schedule_source import schedule_of, schedule_source
from sparsetool.pipeline.structure_source import rules_of, structure_of
from sparsetool.pipeline.user_model import UserModel
from sparsetool.pipeline.versions import installed_versions, source_digest
from sparsetool.prune import ELEMENT, Schedule
from sparsetool.recipe import Phases, PruneSection, TrainSection
from sparsetool.report.pruning_record import ARRAYS, NUMBERS, record_files
from sparsetool.report.records import LayerRecord, TrainingRecord
from sparsetool_converters.errors import MissingExtraError, ModelFormatError

if TYPE_CHECKING:
    from sparsetool.prune import Pruner, TrainingSettings

DENSE, PRUNED = "dense.keras", "pruned.keras"
RECORDED = (NUMBERS, ARRAYS)
_SETTINGS = {"epochs", "batch_size", "learning_rate", "decay", "seed", "save_every_steps"}


def train_and_prune(
    phases: Phases, user: UserModel, folder: RunFolder, listener: Listener, *, home: Path
) -> TrainingRecord:
    """Make `dense.keras`, `pruned.keras` and the record of the pruning phase in the folder, or reuse them.

    A phase that was killed goes on from the state that it saved last, and ends with the same bits.

    Args:
        phases: how it is trained and pruned.
        user: the recipe's model file.
        folder: where results are kept.
        listener: hears of progress and of what is reused.
        home: the recipe's folder.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        PruningError: a schedule or choice of variables that cannot be carried out, before anything is trained.
        VerificationError: a layer that does not have the sparsity that was asked for.
    """
    versions = keras_versions()
    schedule = schedule_of(phases.prune, home)

    def train(destination: Path, state: Path) -> dict[str, Any]:
        from sparsetool.prune import accuracy, make_deterministic, save_checkpoint, train

        settings = _settings(phases.train)
        make_deterministic(settings.seed)  # for the first weights
        model = user.build()
        pruner_of(phases.prune, schedule, reloaded(model), len(user.data["train"][0]))  # refuse early what will not do
        on_progress = _told(listener, "train dense")
        train(model, user.data["train"], settings, on_progress=on_progress, state=_intact(state, listener))
        save_checkpoint(model, destination / DENSE)
        return {"validation_accuracy": accuracy(model, user.data["validation"])}

    def prune(destination: Path, state: Path) -> dict[str, Any]:
        from sparsetool.prune import PruningRecorder, accuracy, load_checkpoint, save_checkpoint, train

        section = phases.prune
        model = load_checkpoint(folder.path / DENSE)
        samples = len(user.data["train"][0])
        pruner = pruner_of(section, schedule, model, samples)
        steps, steps_per_epoch = training_length(section, samples)
        recorder = PruningRecorder(pruner, steps=steps, steps_per_epoch=steps_per_epoch)
        train(
            model,
            user.data["train"],
            _settings(section),
            pruner=pruner,
            on_progress=_told(listener, "train pruned"),
            state=_intact(state, listener),
            recorder=recorder,
        )
        _recalibrate(model, user, section, listener)
        layers = pruner.check()
        for name, content in record_files(recorder.record()).items():
            (destination / name).write_bytes(content)
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

    inputs = {"model": sha256(user.source), "train": phases.train.model_dump(mode="json"), "versions": versions}
    dense = folder.resumable_step("train dense", inputs, (DENSE,), train)
    inputs |= {
        "dense": sha256((folder.path / DENSE).read_bytes()),
        "prune": phases.prune.model_dump(mode="json"),
        "schedule": sha256(schedule_source(phases.prune, home)),
    }
    pruned = folder.resumable_step("train pruned", inputs, (PRUNED, *RECORDED), prune)
    return TrainingRecord(
        dense_accuracy=dense["validation_accuracy"],
        pruned_accuracy=pruned["validation_accuracy"],
        checkpoint_bytes=(folder.path / PRUNED).stat().st_size,
        layers=tuple(LayerRecord(**layer) for layer in pruned["layers"]),
    )


def keras_versions() -> dict[str, str | None]:
    """Versions of what trains.

    Raises:
        MissingExtraError: TensorFlow is not installed.
    """
    versions = installed_versions("tensorflow", "keras")
    if None in versions.values():
        raise MissingExtraError("tensorflow", "train")
    return {**versions, "sparsetool.prune": source_digest("sparsetool.prune")}


def reloaded(model: Any) -> Any:
    """A copy by way of a checkpoint, as the pruning phase gets it: paths of variables may differ there.

    Raises:
        ModelFormatError: Keras saves the model, but cannot load it again.
    """
    from sparsetool.prune import load_checkpoint, save_checkpoint

    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(model, path := Path(folder, DENSE))
        return load_checkpoint(path)


def pruner_of(section: PruneSection, schedule: Schedule, model: Any, samples: int) -> "Pruner":
    """A pruner for training on so many samples, its schedule in plain steps.

    Raises:
        PruningError: a schedule or choice of variables that cannot be carried out.
    """
    from sparsetool.prune import Pruner

    pruner = Pruner(
        model,
        schedule,
        structure=structure_of(section) or ELEMENT,
        include=section.include,
        exclude=section.exclude,
        rules=rules_of(section),
        scope=section.scope,
        min_kept=section.min_kept,
    )
    steps, steps_per_epoch = training_length(section, samples)
    pruner.plan(steps=steps, steps_per_epoch=steps_per_epoch)
    return pruner


def training_length(section: TrainSection, samples: int) -> tuple[int, int]:
    """Steps of a phase on so many samples, and steps of each of its epochs."""
    steps = _settings(section).steps(samples)
    return steps, steps // section.epochs


def _settings(section: TrainSection) -> "TrainingSettings":
    from sparsetool.prune import TrainingSettings

    return TrainingSettings(**section.model_dump(include=_SETTINGS))


def _intact(state: Path, listener: Listener) -> Path:
    """The path, once a file there that is damaged is removed: a disk that was cut off may have kept half of it."""
    from sparsetool.prune import saved_steps

    try:
        if state.exists():
            saved_steps(state)
    except ModelFormatError as problem:
        listener.note(f"{problem}; begins again")
        state.unlink()
    return state


def _recalibrate(model: Any, user: UserModel, section: PruneSection, listener: Listener) -> None:
    if not section.batch_norm_samples:
        return
    from sparsetool.prune import recalibrate_batch_norm
    from sparsetool.prune.batches import shuffled

    x = user.data["train"][0]
    picked = shuffled(len(x), section.seed, 0)[: section.batch_norm_samples]
    layers = recalibrate_batch_norm(model, x[picked])
    found = f"of {', '.join(layers)} over {len(picked):,} samples" if layers else "of nothing, since there is none"
    listener.note(f"train pruned: took the statistics of batch normalization anew, {found}")


def _told(listener: Listener, task: str) -> Any:
    def on_progress(done: int, total: int, metrics: Any) -> None:
        if not metrics:
            listener.note(f"{task}: goes on after step {done:,} of {total:,}")
        detail = f"loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.4f}" if metrics else ""
        listener.progress(task, done, total, detail)

    return on_progress
