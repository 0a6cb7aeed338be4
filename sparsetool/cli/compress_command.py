"""The command that converts models."""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    SamplesFile,
    UpdateBaseline,
    screen,
)
from sparsetool.cli.recipe_flags import FailureFlag, ObjectiveFlag, TargetFlag, TimeoutFlag, given
from sparsetool.cli.screen import show, show_json
from sparsetool.cli.several import SeveralFailedError
from sparsetool_converters.errors import UsageError

if TYPE_CHECKING:
    from sparsetool.report.records import ArtifactRecord
    from sparsetool.report.size_records import BatchRecord

COMPRESS_EXAMPLE = (
    "\b\nExamples:\n"
    "  sparsetool compress model.tflite -o small.tflite\n"
    "  sparsetool compress model.keras -o small.tflz --quantize int8 --calibration samples.npz\n"
    "  sparsetool compress model.tflite -o small.tflite --quantize dynamic --quantize-layer logits=none\n"
    "  sparsetool compress model.tflite -o small.tflite --budget disk=1.2MB,wire=600KB\n"
    "  sparsetool compress models/*.tflite -o build/ --jobs 2 --baseline sizes.json --max-regression 1%\n"
    "  sparsetool compress model.tflite -o small.tflite --recipe sparsetool.toml --force --depfile small.d\n"
)


class Written(StrEnum):
    """How a model is written; the values are those of the pipeline."""

    TFLITE = "tflite"
    TFLZ = "tflz"
    ZST = "zst"


def compress(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE...", help=".tflite, .tflz, .tflite.zst, .keras or a SavedModel folder."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help=".tflite for the runtime, .tflz or .tflite.zst to send; of several models a folder; by default the "
            "name of SOURCE, as .tflz.",
        ),
    ] = None,
    written: Annotated[
        Written | None, typer.Option("--format", help="What to write; zst is a frame that any zstd tool reads.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", help="A recipe for what flags do not say; [[artifacts]] count by the output's name."),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Post-training quantization: none, float16, dynamic, int8, or another of `sparsetool quantizations`.",
        ),
    ] = None,
    quantize_layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN=NAME",
            help="Another quantization where a regular expression is found in the name of a layer's weight or output; "
            "may be given again, the last one counts.",
        ),
    ] = None,
    allow_zero_loss: Annotated[
        bool, typer.Option("--allow-zero-loss", help="Let quantization make other numbers of a pruned weight's zeros.")
    ] = False,
    calibration: Annotated[
        str | None,
        typer.Option(
            help="Samples that static recipes take their ranges from: .npz, .npy, a folder of .npy files, or "
            "file.py:function."
        ),
    ] = None,
    target: TargetFlag = None,
    objective: ObjectiveFlag = None,
    samples: SamplesFile = None,
    budget: BudgetTexts = None,
    baseline: BaselineFile = None,
    max_regression: MaxRegression = None,
    update_baseline: UpdateBaseline = False,
    junit: JunitFile = None,
    markdown: MarkdownFile = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="How many models are converted at a time, each in its own process; 1 by default.",
        ),
    ] = None,
    cache_folder: CacheFolder = None,
    depfile: Annotated[
        Path | None, typer.Option("--depfile", help="Write what the output was made of, as Make and Ninja read it.")
    ] = None,
    record_folder: Annotated[
        Path | None,
        typer.Option(
            "--record", help="Folder for run.json, all that was measured, and for the models before and after."
        ),
    ] = None,
    check_reproducible: Annotated[
        bool,
        typer.Option(
            "--check-reproducible",
            help="Make the result twice more, with other hash seeds, time zones, locales, folders and threads; "
            "write it only if the bytes are the same.",
        ),
    ] = False,
    on_failure: FailureFlag = None,
    force: Force = False,
    timeout: TimeoutFlag = None,
    as_json: Json = False,
) -> None:
    """Convert models, verify each on every kernel set of its target, and only then write it.

    Of several models, or with --jobs, each is converted in a process of its own, and one that fails leaves the others
    alone; a second call makes only what is missing or has changed. The exit code is that of the first model that
    failed, in the order that they are named. An output that would stay the same is left untouched.
    """
    screen.hush()
    from sparsetool.budget import Budgets
    from sparsetool.pipeline.baseline import update_baseline as update
    from sparsetool.pipeline.batch import compress_all, sizes_of
    from sparsetool.pipeline.cache import Cache
    from sparsetool.pipeline.compress import compress_one
    from sparsetool.pipeline.depfile import prerequisites, write_depfile
    from sparsetool.pipeline.formats import Format, output_path, output_paths
    from sparsetool.pipeline.outputs import check_destination
    from sparsetool.pipeline.recipe_settings import gate_of
    from sparsetool.pipeline.reproducibility import MadeAgain
    from sparsetool.pipeline.requests_of_recipe import requests_of
    from sparsetool.recipe import load_recipe
    from sparsetool.report.size_records import SizedRecord, SizesRecord

    form = None if written is None else Format(written.value)
    several = len(sources) > 1 or jobs is not None or _is_folder(output)
    place = None if output is None else Path(output)
    outputs = output_paths(sources, place, form) if several else [output_path(sources[0], place, form)]
    if several and record_folder is not None:
        raise UsageError("--record tells of one model; leave it out, or name one SOURCE and no --jobs")
    home = Path() if recipe is None else recipe.parent
    overrides: dict[str, dict[str, Any]] = {
        "convert": {
            "target": target,
            "objective": objective,
            "quantize": quantize,
            "quantize_layers": _layers(quantize_layer),
            "allow_zero_loss": allow_zero_loss or None,
            "calibration": _from_here(calibration, recipe),
        },
        "verify": {"samples": _from_here(samples, recipe), "timeout_s": timeout, "on_failure": on_failure},
        "sizes": {"baseline": _from_here(baseline, recipe), "max_regression": max_regression},
    }
    wanted = load_recipe(recipe, given(overrides))
    requests = requests_of(wanted, home, zip(sources, outputs, strict=True))
    budgets = Budgets.parse(budget or ())
    budgets.check_names(request.name for request in requests)
    gate = gate_of(wanted, home, flags=budgets, updates=update_baseline)
    accepted = None if wanted.sizes.baseline is None else home / wanted.sizes.baseline
    cache = None if cache_folder is None else Cache(cache_folder)
    again = requests_of(wanted, home, zip(sources, outputs, strict=True)) if check_reproducible else ()
    checks = [MadeAgain(request) for request in again]
    reports = GateReports(junit=junit, markdown=markdown)
    reports.check()
    for path in (depfile, accepted if update_baseline else None):
        if path is not None:
            check_destination(path, force=True)
    with reports.told(", ".join(request.name for request in requests)):
        if several:
            batch = compress_all(
                requests,
                gate=gate,
                force=force,
                jobs=jobs or 1,
                cache=cache,
                before_writing=checks or None,
                listener=screen,
            )
            made = [Path(one.output) for one in batch.made]
            sizes = sizes_of(batch, requests, gate)
            failures = batch.failures
        else:
            (request,) = requests
            one = compress_one(
                request,
                gate=gate,
                force=force,
                record=record_folder,
                cache=cache,
                before_writing=checks[0] if checks else None,
                listener=screen,
            )
            made, failures = [request.output], ()
            sizes = SizesRecord(artifacts=(SizedRecord.of(one, request.name),))
        if depfile is not None:
            texts = [text for text in (wanted.verify.samples, wanted.convert.calibration) if isinstance(text, str)]
            asked = [*(str(home / text) for text in texts), recipe, None if update_baseline else accepted]
            also = [file for file in asked if file is not None]
            write_depfile(
                depfile, {str(r.output): prerequisites(r.source, *also) for r in requests if r.output in made}
            )
        if update_baseline and accepted is not None and not failures:
            update(accepted, {sized.name: sized.sizes for sized in sizes.artifacts})
    reports.write(sizes)
    if several:
        _show_batch(batch, as_json=as_json)
    else:
        _show_one(request.source, request.output, one, as_json=as_json)
    if not as_json and any(sized.limits or sized.baseline for sized in sizes.artifacts):
        draw_sizes(sizes)
    if failures:
        raise SeveralFailedError(failures, len(requests))


def _show_one(source: Path, output: Path, record: "ArtifactRecord", *, as_json: bool) -> None:
    from sparsetool.report.records import as_json as to_json
    from sparsetool.report.tables import output_table, quantized_table, tensor_table

    if as_json:
        show_json(to_json("compress", record))
        return
    before, sizes = record.stages[0].disk_bytes, record.sizes
    if record.quantized:
        show(quantized_table(record.quantized))
    show(
        tensor_table(record.tensors),
        output_table(record.outputs, record.skipped),
        f"{source}: {before:,} bytes",
        f"{output}: disk {sizes.disk:,} bytes ({_times(before, sizes.disk)}), "
        f"wire {sizes.wire:,} bytes ({_times(before, sizes.wire)})",
    )


def _show_batch(batch: "BatchRecord", *, as_json: bool) -> None:
    from sparsetool.report.batch_table import batch_table
    from sparsetool.report.records import as_json as to_json

    if as_json:
        show_json(to_json("compress many", batch))
        return
    show(batch_table(batch), *(failure.message for failure in batch.failures))


def _times(before: int, after: int) -> str:
    if before == after:
        return "the same"
    return f"{before / after:.1f}x smaller" if after < before else f"{after / before:.1f}x larger"


def _is_folder(output: str | None) -> bool:
    return output is not None and (output.endswith(("/", os.sep)) or Path(output).is_dir())


def _from_here(path: str | Path | None, recipe: Path | None) -> str | None:
    """A path that a flag gives, which is relative to where the command runs, as a recipe's own would be written."""
    if path is None:
        return None
    return str(path) if recipe is None else str(Path(path).absolute())


def _layers(texts: Sequence[str] | None) -> list[dict[str, str]] | None:
    """Raises UsageError for one that is not PATTERN=NAME."""
    from dataclasses import asdict

    from sparsetool_converters.passes.quantize_layers import parse_layer

    return None if texts is None else [asdict(parse_layer(text)) for text in texts]
