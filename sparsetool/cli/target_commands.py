"""The commands about targets: what a runtime makes of a file, and whether it is still as the table says."""

from pathlib import Path
from typing import Annotated

import typer

from sparsetool.cli.options import Json, TargetName, screen
from sparsetool.cli.screen import show, show_json
from sparsetool_converters.errors import TargetError

EXPLAIN_EXAMPLE = "\b\nExample:\n  sparsetool explain model.tflite --target litert"

targets = typer.Typer(
    name="targets",
    help="What each runtime executes right, fails at or gets wrong.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@targets.callback()
def group() -> None:
    """What each runtime executes right, fails at or gets wrong."""


@targets.command(epilog="\b\nExample:\n  sparsetool targets check --kernel-set default")
def check(
    target: TargetName = "litert",
    kernel_set: Annotated[
        list[str] | None,
        typer.Option(
            "--kernel-set",
            help="default, no-delegates or reference, of tflm micro; may be given again. All if left out.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a small model for each row of a target's table, and print where the installed runtime differs from it.

    Some of these models end the process that runs them; each runs in one of its own. Exit code 6 if there is a
    difference.
    """
    screen.hush()
    from sparsetool.pipeline.check_target import check_target
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.target_tables import difference_table

    record = check_target(target, kernel_set or (), listener=screen)
    if as_json:
        show_json(to_json("targets check", record))
    else:
        if record.differences:
            show(difference_table(record))
        show(record.summary)
    if record.differences:
        raise typer.Exit(TargetError.exit_code)


def explain(
    model: Annotated[Path, typer.Argument(help=".tflite, .tflz, .tflite.zst, .keras or a SavedModel folder.")],
    target: TargetName = "litert",
    as_json: Json = False,
) -> None:
    """Say of each weight how it is stored, whether a target runs it so, and what else the target could read.

    Exit code 6 if the target does not run the file right.
    """
    screen.hush()
    from sparsetool.pipeline.explain import explain_file
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.target_tables import finding_lines, use_lines, weight_table

    record = explain_file(model, target)
    if as_json:
        show_json(to_json("explain", record))
    else:
        show(weight_table(record), *use_lines(record), "", *finding_lines(record))
    if record.errors:
        raise typer.Exit(TargetError.exit_code)
