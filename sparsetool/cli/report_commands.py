"""The commands that show what was recorded."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sparsetool.cli.options import Force, Json, screen
from sparsetool.cli.screen import show, show_json

REPORT_EXAMPLE = (
    "\b\nExamples:\n"
    "  sparsetool report models/mnist_cnn/runs\n"
    "  sparsetool compress model.tflite -o small.tflite --record record && sparsetool report record\n"
)

DIFF_EXAMPLE = "\b\nExample:\n  sparsetool diff dense.tflite small.tflite"
SCHEMA_EXAMPLE = (
    "\b\nExamples:\n  sparsetool schema verify > verify.schema.json\n  sparsetool schema recipe > recipe.schema.json\n"
)


def report(
    folder: Annotated[Path, typer.Argument(help="Where sparsetool run or compress --record put its results.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page, by default report.html in the folder.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Show a run: sizes through the stages, layers, training, accuracy, verification, latency and RAM, findings.

    Prints it, and writes it as one HTML page that needs no network. Latency and RAM are measured on this machine once
    and kept in the folder; as long as the models stay the same, a second report has the same bytes.
    """
    screen.hush()
    from sparsetool.pipeline.benching import bench_models
    from sparsetool.pipeline.reporting import REPORT_KIND, TIME_S, report_run
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.sections import sections_of
    from sparsetool.report.terminal import section_lines

    found = report_run(folder, output, bench=partial(bench_models, time_s=TIME_S), force=force, listener=screen)
    if as_json:
        show_json(to_json(REPORT_KIND, found.record))
        return
    for section in sections_of(found.record):
        show(*section_lines(section))
    show(f"\npage: {found.page}")


def diff(
    first: Annotated[Path, typer.Argument(help=".tflite, .tflz, .tflite.zst, .keras or a SavedModel folder.")],
    second: Annotated[Path, typer.Argument(help="The model to compare with it, likewise.")],
    as_json: Json = False,
) -> None:
    """Show how two models differ by what stands in their files: sizes, operators, inputs and outputs, constants.

    Neither is run, and the exit code is 0 whether they differ or not; sparsetool verify judges.
    """
    screen.hush()
    from sparsetool.pipeline.differing import diff as diff_files
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.sections.difference import difference_section
    from sparsetool.report.terminal import section_lines

    record = diff_files(first, second)
    if as_json:
        show_json(to_json("diff", record))
        return
    show(*section_lines(difference_section(record)))


def schema(
    kind: Annotated[
        str | None,
        typer.Argument(help='What the document says under "kind", or recipe; without it, all kinds are listed.'),
    ] = None,
) -> None:
    """Print the JSON Schema of a document that --json prints or a file holds, or of a recipe, for editors."""
    from sparsetool.pipeline.documents import KINDS, schema_text

    show(*(KINDS if kind is None else [schema_text(kind).rstrip()]))
