"""The commands that carry out a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from sparsetool.cli.options import Json, Out, screen
from sparsetool.cli.screen import show, show_json

RUN_EXAMPLE = "\b\nExample:\n  sparsetool run models/mnist_cnn/recipe.toml"
PRUNE_EXAMPLE = "\b\nExample:\n  sparsetool prune models/mnist_cnn/recipe.toml"


def run(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file.")],
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Carry out a whole recipe: train, prune, convert, verify, and print what each stage did.

    Steps whose inputs have not changed are reused.
    """
    screen.hush()
    from sparsetool.pipeline.recipe_run import run_recipe
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.tables import artifact_table, layer_table, tensor_table

    record = run_recipe(recipe, out, listener=screen)
    if as_json:
        show_json(to_json("run", record))
        return
    show(layer_table(record.training))
    for artifact in record.artifacts:
        if artifact.tensors:
            show(f"\n{artifact.name}", tensor_table(artifact.tensors))
    show("", artifact_table(record.artifacts))


def prune(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a TOML file.")],
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Carry out a recipe up to the sparse checkpoint, pruned.keras."""
    screen.hush()
    from sparsetool.pipeline.recipe_run import prune_recipe
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.tables import layer_table

    record = prune_recipe(recipe, out, listener=screen)
    if as_json:
        show_json(to_json("prune", record))
        return
    show(layer_table(record))
