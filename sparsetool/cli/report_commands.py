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
