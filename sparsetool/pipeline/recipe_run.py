"""A whole recipe: train, prune, export, convert, verify, measure, publish."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sparsetool.budget import Budget, Budgets
from sparsetool.export import export_keras
from sparsetool.pipeline.artifact import make_artifact
from sparsetool.pipeline.compress import publish
from sparsetool.pipeline.conversion import Settings
from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.held_out import hashes, measure_on_test_set, with_answers
from sparsetool.pipeline.outputs import make_folder, write_if_changed
from sparsetool.pipeline.proof import Prover
from sparsetool.pipeline.record_folder import PUBLISHED, RUN, published_files, run_document
from sparsetool.pipeline.request import Output
from sparsetool.pipeline.run_folder import WORK, RunFolder, opened, sha256
from sparsetool.pipeline.size_gate import size_gate
from sparsetool.pipeline.size_meter import SizeMeter
from sparsetool.pipeline.stage_files import read_stages, write_stages
from sparsetool.pipeline.task_gates import check_task_gates
from sparsetool.pipeline.task_metric import Metric, load_metric
from sparsetool.pipeline.training import DENSE, PRUNED, RECORDED, train_and_prune
from sparsetool.pipeline.user_model import UserModel
from sparsetool.pipeline.versions import installed_versions, source_digest
from sparsetool.recipe import OUTPUT_GATES, ArtifactSection, Recipe, load_recipe
from sparsetool.recipe_fields import OnFailure
from sparsetool.report.records import ArtifactRecord, RunRecord, TrainingRecord
from sparsetool.verify import Tolerance, require_runtime
from sparsetool_converters.passes.quantize_layers import LayerRecipe
from sparsetool_converters.targets import target_named

FLOATS = {"dense": "_dense.tflite", "pruned": "_pruned.tflite"}  # no artifact can have such a name
_RECORD = TypeAdapter(ArtifactRecord)


def run_recipe(path: Path, out: Path | None = None, *, listener: Listener) -> RunRecord:
    """Carry out a recipe; steps whose inputs have not changed are reused.

    Args:
        path: the recipe.
        out: folder for the results, by default `runs` beside the recipe. Every artifact is put there as `.tflite`
            and `.tflz`, with the sparse checkpoint and the record of its pruning that `draw_record` draws, and only
            after all of them passed; last `run.json`, the record of it all.
        listener: hears of progress and of what is reused.

    Raises:
        SparseToolError: whatever went wrong; published results are then as they were before.
    """
    with _opened(path, out, listener) as (recipe, user, folder, out):
        require_runtime(target_named(recipe.convert.target).kernel_sets)
        metric, metric_source = _metric(recipe, path.parent)
        training = train_and_prune(recipe, user, folder, listener, home=path.parent)
        _export(folder, listener)
        prover: list[Prover] = []
        meter = SizeMeter()
        records = tuple(_make(recipe, section, user, folder, prover, meter, listener) for section in recipe.artifacts)
        records = _measure(recipe, records, user, folder, listener, metric=metric, metric_source=metric_source)
        records = check_task_gates(recipe, records)
        records = _check_sizes(recipe, records, folder)
        return _publish(path, out, folder, training, records)


def prune_recipe(
    path: Path, out: Path | None = None, *, record: Path | None = None, listener: Listener
) -> TrainingRecord:
    """Carry out a recipe up to the sparse checkpoint, and publish that.

    Args:
        path: the recipe.
        out: folder for the checkpoint, by default `runs` beside the recipe.
        record: folder for a record of what was pruned when, which `draw_record` draws; it is made if it is not there.
        listener: hears of progress and of what is reused.

    Raises:
        SparseToolError: whatever went wrong; published results are then as they were before.
    """
    with _opened(path, out, listener) as (recipe, user, folder, out):
        if record is not None:
            make_folder(record)
        training = train_and_prune(recipe, user, folder, listener, home=path.parent)
        write_if_changed(out / PRUNED, (folder.path / PRUNED).read_bytes())
        if record is not None:
            for name in RECORDED:
                write_if_changed(record / name, (folder.path / name).read_bytes())
        return training


@contextmanager
def _opened(path: Path, out: Path | None, listener: Listener) -> Iterator[tuple[Recipe, UserModel, RunFolder, Path]]:
    recipe = load_recipe(path)
    user = UserModel(path.parent / recipe.model.source)
    out = out or path.parent / "runs"
    make_folder(out)
    make_folder(out / WORK)
    with opened(out / WORK, listener) as folder:
        yield recipe, user, folder, out


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


def _make(
    recipe: Recipe,
    section: ArtifactSection,
    user: UserModel,
    folder: RunFolder,
    provers: list[Prover],
    meter: SizeMeter,
    listener: Listener,
) -> ArtifactRecord:
    source = (folder.path / FLOATS[section.checkpoint]).read_bytes()
    gates = recipe.gates_of(section)
    settings = Settings(
        quantize=section.quantize,
        quantize_layers=tuple(LayerRecipe(pattern=s.pattern, recipe=s.recipe) for s in section.quantize_layers),
        allow_zero_loss=section.allow_zero_loss,
        compact=section.compact,
        encode=section.encode,
        objective=recipe.convert.objective,
        target=recipe.convert.target,
        on_failure=gates.on_failure or OnFailure.FAIL,
    )

    limits = Tolerance(**gates.model_dump(include=set(OUTPUT_GATES)))

    def make(destination: Path) -> dict[str, Any]:
        calibration = user.data["train"][0][: recipe.convert.calibration_samples]
        if not provers:  # one for all artifacts, since they share stages
            samples = user.data["validation"][0][: recipe.verify.samples]
            provers.append(Prover(samples, timeout_s=recipe.verify.timeout_s, listener=listener))
        artifact = make_artifact(
            source,
            settings,
            name=section.name,
            where=FLOATS[section.checkpoint],
            prover=provers[0],
            calibration=calibration,
            listener=listener,
            meter=meter,
            limits=limits,
        )
        for written in PUBLISHED:
            publish(Output.of(artifact, written), destination / f"{section.name}{written.suffix}")
        write_stages(destination / _stages_file(section.name), artifact.stages)
        return asdict(artifact.record)

    inputs = {
        "float": sha256(source),
        "model": sha256(user.source),
        "settings": {**asdict(settings), "name": section.name},
        "verify": recipe.verify.model_dump(mode="json", include={"samples", "timeout_s"}),
        "limits": asdict(limits),
        "calibration_samples": recipe.convert.calibration_samples,
        "versions": installed_versions("ai-edge-litert", "litert-quantizer", "tflite-micro"),
        "source": [source_digest("sparsetool_converters"), source_digest("sparsetool.verify")],
    }
    files = (*published_files(section.name), _stages_file(section.name))
    return _RECORD.validate_python(folder.step(f"make {section.name}", inputs, files, make))


def _metric(recipe: Recipe, home: Path) -> tuple[Metric | None, bytes]:
    """The recipe's own metric, if it has one, and the text of its file."""
    if recipe.verify.metric is None:
        return None, b""
    metric = load_metric(recipe.verify.metric, home)
    return metric, (home / recipe.verify.metric.rpartition(":")[0]).read_bytes()


def _stages_file(artifact: str) -> str:
    return f"{artifact}.stages.npz"


def _measure(
    recipe: Recipe,
    records: tuple[ArtifactRecord, ...],
    user: UserModel,
    folder: RunFolder,
    listener: Listener,
    *,
    metric: Metric | None,
    metric_source: bytes,
) -> tuple[ArtifactRecord, ...]:
    """Measure every artifact, and every stage of it, on the test set."""
    stages = {record.name: read_stages(folder.path / _stages_file(record.name)) for record in records}
    keys = hashes(stages)

    def measure(_: Path) -> dict[str, Any]:
        timeout_s = recipe.verify.timeout_s
        return measure_on_test_set(stages, user.data["test"], metric, timeout_s=timeout_s, listener=listener)

    inputs = {
        "artifacts": keys,
        "metric": [recipe.verify.metric, sha256(metric_source)],
        "model": sha256(user.source),
        "runtime": installed_versions("ai-edge-litert", "tflite-micro"),
    }
    answers = folder.step("accuracy", inputs, (), measure)
    return tuple(with_answers(record, keys[record.name], answers) for record in records)


def _check_sizes(recipe: Recipe, records: tuple[ArtifactRecord, ...], folder: RunFolder) -> tuple[ArtifactRecord, ...]:
    own = {section.name: Budget(**section.budget.model_dump()) for section in recipe.artifacts}
    gate = size_gate(Budgets(own=own))
    models = [(folder.path / published_files(record.name)[0]).read_bytes() for record in records]
    return tuple(gate.passed(record, model) for record, model in zip(records, models, strict=True))


def _publish(
    path: Path, out: Path, folder: RunFolder, training: TrainingRecord, records: tuple[ArtifactRecord, ...]
) -> RunRecord:
    for name in [PRUNED, *RECORDED, *(file for record in records for file in published_files(record.name))]:
        write_if_changed(out / name, (folder.path / name).read_bytes())
    record = RunRecord(recipe=path.resolve().parent.name, training=training, artifacts=records)
    write_if_changed(out / RUN, run_document(record))  # last, since it tells of all the others
    return record
