"""The commands that carry out a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from sparsetool.cli.gate_faces import GateReports, draw_sizes
from sparsetool.cli.options import (
    BaselineFile,
    BudgetTexts,
    CacheFolder,
    Force,
    Json,
    JunitFile,
    MarkdownFile,
    MaxRegression,
    Out,
    UpdateBaseline,
    screen,
)
from sparsetool.cli.recipe_flags import (
    FailureFlag,
    ObjectiveFlag,
    TargetFlag,
    TimeoutFlag,
    overrides_of,
)
from sparsetool.cli.screen import show, show_json
from sparsetool_converters.errors import UsageError

RUN_EXAMPLE = (
    "\b\nExamples:\n"
    "  sparsetool run models/mnist_cnn/recipe.toml\n"
    "  sparsetool run recipe.toml --target tflm --budget int8:disk=40KB\n"
)
CONFIG_EXAMPLE = "\b\nExample:\n  sparsetool config models/mnist_cnn/recipe.toml --resolved --target portable"
PRUNE_EXAMPLE = (
    "\b\nExamples:\n"
    "  sparsetool prune models/mnist_cnn/recipe.toml --dry-run\n"
    "  sparsetool prune models/mnist_cnn/recipe.toml --record pruning\n"
)
PLOT_EXAMPLE = "\b\nExample:\n  sparsetool plot pruning -o pictures"


def run(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file.")],
    out: Out = None,
    target: TargetFlag = None,
    objective: ObjectiveFlag = None,
    timeout: TimeoutFlag = None,
    on_failure: FailureFlag = None,
    budget: BudgetTexts = None,
    baseline: BaselineFile = None,
    max_regression: MaxRegression = None,
    update_baseline: UpdateBaseline = False,
    junit: JunitFile = None,
    markdown: MarkdownFile = None,
    cache_folder: CacheFolder = None,
    as_json: Json = False,
) -> None:
    """Carry out a whole recipe: train, prune, convert, verify, and print what each stage did.

    A recipe whose model is a .tflite, .tflz, .keras or SavedModel is converted and verified only. Steps whose inputs
    have not changed are reused. A flag counts more than the recipe.
    """
    screen.hush()
    from sparsetool.pipeline.cache import Cache
    from sparsetool.pipeline.recipe_run import run_recipe
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.size_records import SizedRecord, SizesRecord
    from sparsetool.report.tables import artifact_table, layer_table, tensor_table

    overrides = overrides_of(
        target=target,
        objective=objective,
        timeout=timeout,
        on_failure=on_failure,
        budget=budget,
        baseline=baseline,
        max_regression=max_regression,
    )
    reports = GateReports(junit=junit, markdown=markdown)
    reports.check()
    with reports.told(str(recipe)):
        record = run_recipe(
            recipe,
            out,
            overrides=overrides,
            update_baseline=update_baseline,
            cache=None if cache_folder is None else Cache(cache_folder),
            listener=screen,
        )
    sizes = SizesRecord(artifacts=tuple(SizedRecord.of(artifact, artifact.name) for artifact in record.artifacts))
    reports.write(sizes)
    if as_json:
        show_json(to_json("run", record))
        return
    if record.training is not None:
        show(layer_table(record.training))
    for artifact in record.artifacts:
        if artifact.tensors:
            show(f"\n{artifact.name}", tensor_table(artifact.tensors))
    show("", artifact_table(record.artifacts))
    if any(sized.limits for sized in sizes.artifacts):
        draw_sizes(sizes)


def config(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file.")],
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Every key with its value, those that are left out with the default.")
    ] = False,
    target: TargetFlag = None,
    objective: ObjectiveFlag = None,
    timeout: TimeoutFlag = None,
    on_failure: FailureFlag = None,
    budget: BudgetTexts = None,
    baseline: BaselineFile = None,
    max_regression: MaxRegression = None,
    as_json: Json = False,
) -> None:
    """Check a recipe and print what it comes to, as a recipe: flags over the file over defaults.

    Behind each value that is no default stands where it comes from.
    """
    screen.hush()
    from sparsetool.pipeline.configuration import read_configuration
    from sparsetool.recipe import toml_text
    from sparsetool.report.records import as_json as to_json

    overrides = overrides_of(
        target=target,
        objective=objective,
        timeout=timeout,
        on_failure=on_failure,
        budget=budget,
        baseline=baseline,
        max_regression=max_regression,
    )
    record = read_configuration(recipe, overrides, resolved=resolved)
    if as_json:
        show_json(to_json("config", record))
        return
    told = {
        key: source for key, source in record.sources.items() if source == "flag" or (resolved and source == "recipe")
    }
    show(toml_text(record.values, told).rstrip("\n"))


def prune(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file.")],
    out: Out = None,
    record: Annotated[
        Path | None, typer.Option("--record", help="Folder for a record of what was pruned when, to plot.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Train nothing; show when masks would be refreshed, and of what.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Carry out a recipe up to the sparse checkpoint, pruned.keras.

    A schedule that would prune nothing in the training at hand, or never reach its target, is refused.
    """
    screen.hush()
    from sparsetool.report.records import as_json as to_json

    if dry_run and record is not None:
        raise UsageError("--dry-run trains nothing, so there is nothing to --record; leave one of them out")
    if dry_run:
        _show_plan(recipe, as_json=as_json)
        return
    from sparsetool.pipeline.recipe_run import prune_recipe
    from sparsetool.report.tables import layer_table

    done = prune_recipe(recipe, out, record=record, listener=screen)
    if as_json:
        show_json(to_json("prune", done))
        return
    show(layer_table(done))


def plot(
    record: Annotated[Path, typer.Argument(help="The folder that sparsetool prune --record wrote, or that of a run.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the pictures; by default that of the record.")
    ] = None,
    tensor: Annotated[
        str | None, typer.Option("--tensor", help="Path of the pruned variable to draw; the largest if left out.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Draw a record of pruning: sparsity over the run and layer by layer, and one tensor, still and moving."""
    screen.hush()
    from sparsetool.pipeline.drawing import draw_record
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.small_records import PlotRecord

    drawn = PlotRecord(pictures=tuple(map(str, draw_record(record, output, tensor=tensor, force=force))))
    if as_json:
        show_json(to_json("plot", drawn))
        return
    show(*drawn.pictures)


def _show_plan(recipe: Path, *, as_json: bool) -> None:
    from sparsetool.pipeline.dry_run import plan_pruning
    from sparsetool.report.pruning_plan import choice_table, plan_summary, refresh_table
    from sparsetool.report.records import as_json as to_json

    plan = plan_pruning(recipe)
    if as_json:
        show_json(to_json("prune plan", plan))
        return
    show(choice_table(plan), refresh_table(plan), *plan_summary(plan))
