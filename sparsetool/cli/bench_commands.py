"""The command that times two models against each other."""

from pathlib import Path
from typing import Annotated

import typer

from sparsetool.cli.options import Json, Timeout, samples_from, screen
from sparsetool.cli.screen import show, show_json

BENCH_EXAMPLE = "\b\nExample:\n  sparsetool bench dense.tflite small.tflite --threads 1"


def bench(
    reference: Annotated[Path, typer.Argument(metavar="dense", help=".tflite, .tflz, .tflite.zst or .keras.")],
    candidate: Annotated[Path, typer.Argument(help="The model to compare with it, likewise.")],
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of the runtime.")] = 1,
    kernel_set: Annotated[str, typer.Option("--kernel-set", help="default, no-delegates or reference.")] = "default",
    samples: Annotated[
        str | None,
        typer.Option(
            "--samples",
            help="Inputs to run: .npz, .npy, a folder of .npy files, or file.py:function; random ones if left out.",
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option("--time", min=1, help="Seconds of measuring; more only where ten rounds take longer."),
    ] = 20.0,
    timeout: Timeout = 600.0,
    as_json: Json = False,
) -> None:
    """Time two models against each other on this machine: load, first inference, steady latency, resident memory.

    Both are measured in turn, in up to 16 rounds of fresh processes. A difference is claimed where it is larger
    than 1 % and not by chance, decided at 1 % for all four together; all else is called no difference.
    """
    screen.hush()
    from sparsetool.pipeline.benching import bench_files
    from sparsetool.report.bench_tables import bench_table, operator_table, verdict_sentence
    from sparsetool.report.records import as_json as to_json

    record = bench_files(
        reference,
        candidate,
        samples=samples_from(samples),
        kernel_set=kernel_set,
        threads=threads,
        time_s=seconds,
        timeout_s=timeout,
        listener=screen,
    )
    if as_json:
        show_json(to_json("bench", record))
        return
    show(bench_table(record))
    show(*(operator_table(model) for model in (record.reference, record.candidate) if model.operators))
    show(*map(verdict_sentence, record.ratios), "", *record.sparse, *record.notes)
