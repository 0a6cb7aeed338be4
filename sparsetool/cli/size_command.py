"""The command that gates files that are there."""

from pathlib import Path
from typing import Annotated

import typer

from sparsetool.cli.gate_faces import GateReports, draw_sizes
from sparsetool.cli.options import (
    BaselineFile,
    BudgetTexts,
    Json,
    JunitFile,
    MarkdownFile,
    MaxRegression,
    UpdateBaseline,
    screen,
)
from sparsetool.cli.screen import show_json
from sparsetool.cli.several import SeveralFailedError

SIZE_EXAMPLE = (
    "\b\nExamples:\n"
    "  sparsetool size build/*.tflite --baseline sizes.json --update-baseline\n"
    "  sparsetool size build/*.tflite --baseline sizes.json --max-regression 1% --budget wire=600KB\n"
)


def size(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help=".tflite, .tflz or .tflite.zst.")],
    budget: BudgetTexts = None,
    baseline: BaselineFile = None,
    max_regression: MaxRegression = None,
    update_baseline: UpdateBaseline = False,
    junit: JunitFile = None,
    markdown: MarkdownFile = None,
    as_json: Json = False,
) -> None:
    """Measure files and hold their sizes against limits; nothing is converted.

    Budgets and baseline call a file by its name without suffix, or by its path without suffix where several files have
    the same name.
    """
    screen.hush()
    from sparsetool.budget import Budgets
    from sparsetool.pipeline.baseline import update_baseline as update
    from sparsetool.pipeline.outputs import check_destination
    from sparsetool.pipeline.size_gate import check_limits, size_gate
    from sparsetool.pipeline.sizing import size_files
    from sparsetool.report.records import as_json as to_json
    from sparsetool.shares import parse_share

    gate = size_gate(
        Budgets.parse(budget or ()),
        baseline=baseline,
        max_regression=None if max_regression is None else parse_share(max_regression),
        updates=update_baseline,
    )
    reports = GateReports(junit=junit, markdown=markdown)
    reports.check()
    if update_baseline and baseline is not None:
        check_destination(baseline, force=True)
    with reports.told(", ".join(map(str, files))):
        record = size_files(files, gate, listener=screen)
        if update_baseline and baseline is not None and not record.failures and not record.broken:
            update(baseline, {sized.name: sized.sizes for sized in record.artifacts})
    reports.write(record)
    if as_json:
        show_json(to_json("sizes", record))
    else:
        draw_sizes(record)
    if record.failures:
        raise SeveralFailedError(record.failures, len(files))
    check_limits(record.artifacts)
