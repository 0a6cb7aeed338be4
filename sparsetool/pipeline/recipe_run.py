"""A whole recipe: train, prune, export, convert, verify, measure, publish."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sparsetool.pipeline.artifact import make_artifact
from sparsetool.pipeline.baseline import update_baseline as accept
from sparsetool.pipeline.cache import Cache
from sparsetool.pipeline.compress import publish
from sparsetool.pipeline.events import Listener
from sparsetool.pipeline.held_out import hashes, measure_on_test_set, with_answers
from sparsetool.pipeline.material import Material, check_given, given_material, trained_material
from sparsetool.pipeline.outputs import make_folder, write
from sparsetool.pipeline.proof import Prover
from sparsetool.pipeline.recipe_model import check_artifacts, phases_of, source_of
from sparsetool.pipeline.recipe_settings import gate_of, limits_of, settings_of
from sparsetool.pipeline.record_folder import PUBLISHED, RUN, published_files, run_document
from sparsetool.pipeline.request import Output
from sparsetool.pipeline.run_folder import WORK, RunFolder, opened, sha256
from sparsetool.pipeline.size_gate import SizeGate, check_limits
from sparsetool.pipeline.size_meter import SizeMeter
from sparsetool.pipeline.stage_files import read_stages, write_stages
from sparsetool.pipeline.task_gates import check_task_gates
from sparsetool.pipeline.task_metric import Metric, load_metric
from sparsetool.pipeline.training import PRUNED, RECORDED, train_and_prune
from sparsetool.pipeline.user_model import UserModel
from sparsetool.pipeline.versions import installed_versions, source_digest
from sparsetool.recipe import ArtifactSection, Recipe, load_recipe
from sparsetool.report.records import ArtifactRecord, RunRecord, TrainingRecord
from sparsetool.verify import require_runtime
from sparsetool_converters.targets import target_named

_RECORD = TypeAdapter(ArtifactRecord)


def run_recipe(
    path: Path,
    out: Path | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    update_baseline: bool = False,
    cache: Cache | None = None,
    listener: Listener,
) -> RunRecord:
    """Carry out a recipe; steps whose inputs have not changed are reused.

    Args:
        path: the recipe.
        out: folder for the results, by default `runs` beside the recipe. Every artifact is put there as `.tflite`
            and `.tflz`, of a model that is trained with the sparse checkpoint and the record of its pruning that
            `draw_record` draws, and only after all of them passed; last `run.json`, the record of it all.
        overrides: what counts more than the recipe, see `load_recipe`.
        update_baseline: whether sizes are written to the recipe's baseline, and may be any.
        cache: where results of steps are kept beyond the folder.
        listener: hears of progress and of what is reused.

    Raises:
        SparseToolError: whatever went wrong; published results are then as they were before.
    """
    recipe, home = load_recipe(path, overrides), path.parent
    source = source_of(recipe, path)
    check_artifacts(recipe, path)
    gate = gate_of(recipe, home, updates=update_baseline)
    user = UserModel(source) if recipe.trains else None
    if user is None:
        check_given(source)
    with _opened(path, out, listener, cache) as (folder, out):
        require_runtime(target_named(recipe.convert.target).kernel_sets)
        metric, metric_source = _metric(recipe, home)
        if user is None:
            material = given_material(recipe, source, folder, listener, home=home)
        else:
            material = trained_material(recipe, phases_of(recipe, path), user, folder, listener, home=home)
        prover: list[Prover] = []
        meter = SizeMeter()
        records = tuple(
            _make(recipe, section, material, folder, prover, meter, listener) for section in recipe.artifacts
        )
        records = _measure(recipe, records, material, folder, listener, metric=metric, metric_source=metric_source)
        records = check_task_gates(recipe, records)
        records = _check_sizes(gate, records, folder)
        record = _publish(recipe.name or path.name, out, folder, material, records)
    if update_baseline and recipe.sizes.baseline is not None:
        accept(home / recipe.sizes.baseline, {artifact.name: artifact.sizes for artifact in records})
    return record


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
    recipe = load_recipe(path)
    phases = phases_of(recipe, path)
    user = UserModel(source_of(recipe, path))
    with _opened(path, out, listener) as (folder, out):
        if record is not None:
            make_folder(record)
        training = train_and_prune(phases, user, folder, listener, home=path.parent)
        write(out / PRUNED, (folder.path / PRUNED).read_bytes())
        if record is not None:
            for name in RECORDED:
                write(record / name, (folder.path / name).read_bytes())
        return training


@contextmanager
def _opened(
    path: Path, out: Path | None, listener: Listener, cache: Cache | None = None
) -> Iterator[tuple[RunFolder, Path]]:
    """The folder that steps work in, and the one for results."""
    out = out or path.parent / "runs"
    make_folder(out)
    make_folder(out / WORK)
    with opened(out / WORK, listener, cache) as folder:
        yield folder, out


def _make(
    recipe: Recipe,
    section: ArtifactSection,
    material: Material,
    folder: RunFolder,
    provers: list[Prover],
    meter: SizeMeter,
    listener: Listener,
) -> ArtifactRecord:
    where, source = material.models[section.checkpoint]
    settings, limits = settings_of(recipe, section), limits_of(section)

    def make(destination: Path) -> dict[str, Any]:
        if not provers:  # one for all artifacts, since they share stages
            provers.append(Prover(material.samples(), timeout_s=recipe.verify.timeout_s, listener=listener))
        artifact = make_artifact(
            source,
            settings,
            name=section.name,
            where=where,
            prover=provers[0],
            calibration=material.calibration(),
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
        "data": material.inputs,
        "settings": {**asdict(settings), "name": section.name},
        "timeout_s": recipe.verify.timeout_s,
        "limits": asdict(limits),
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
    material: Material,
    folder: RunFolder,
    listener: Listener,
    *,
    metric: Metric | None,
    metric_source: bytes,
) -> tuple[ArtifactRecord, ...]:
    """Measure every artifact, and every stage of it, on the test set, if there is one."""
    test = material.test
    if test is None:
        return records
    stages = {record.name: read_stages(folder.path / _stages_file(record.name)) for record in records}
    keys = hashes(stages)

    def measure(_: Path) -> dict[str, Any]:
        timeout_s = recipe.verify.timeout_s
        return measure_on_test_set(stages, test(), metric, timeout_s=timeout_s, listener=listener)

    inputs = {
        "artifacts": keys,
        "metric": [recipe.verify.metric, sha256(metric_source)],
        "data": material.test_inputs,
        "runtime": installed_versions("ai-edge-litert", "tflite-micro"),
    }
    answers = folder.step("accuracy", inputs, (), measure)
    return tuple(with_answers(record, keys[record.name], answers) for record in records)


def _check_sizes(gate: SizeGate, records: tuple[ArtifactRecord, ...], folder: RunFolder) -> tuple[ArtifactRecord, ...]:
    """The records with their limits on sizes, all of which are measured before the first that is broken is raised."""
    models = [(folder.path / published_files(record.name)[0]).read_bytes() for record in records]
    sized = [gate.measure(r.name, model, r.sizes) for r, model in zip(records, models, strict=True)]
    check_limits(sized)
    return tuple(replace(r, baseline=s.baseline, limits=s.limits) for r, s in zip(records, sized, strict=True))


def _publish(
    name: str, out: Path, folder: RunFolder, material: Material, records: tuple[ArtifactRecord, ...]
) -> RunRecord:
    for file in [*material.published, *(file for record in records for file in published_files(record.name))]:
        write(out / file, (folder.path / file).read_bytes())
    record = RunRecord(recipe=name, training=material.training, artifacts=records)
    write(out / RUN, run_document(record))  # last, since it tells of all the others
    return record
