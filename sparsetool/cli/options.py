"""What several commands share: the screen, and options that mean the same everywhere."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparsetool.cli.screen import Screen

if TYPE_CHECKING:
    from sparsetool_converters.samples import Samples

screen = Screen()


class Goal(StrEnum):
    """What encoding makes small; the values are those of the recipe."""

    DISK = "disk"
    RAM = "ram"
    SPEED = "speed"


class Failure(StrEnum):
    """What becomes of a weight that breaks verification; the values are those of the recipe."""

    FAIL = "fail"
    KEEP_DENSE = "keep-dense"


CacheFolder = Annotated[
    Path | None,
    typer.Option("--cache-dir", help="Results by the content of all that they depend on; may be shared, and deleted."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an output that exists.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Seconds for each run of a model.")]
SamplesFile = Annotated[
    str | None,
    typer.Option(
        "--samples",
        help="Inputs to run: .npz, .npy, a folder of .npy files or of pictures, or file.py:function; random ones if "
        "left out.",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results; by default runs beside the recipe.")]
BudgetTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        metavar="[NAME:]KIND=SIZE,...",
        help="Sizes not to exceed, as disk=1.2MB,wire=600KB; kinds are disk, gzip, zstd, wire and ram. After NAME: for "
        "one artifact, the name of its file without suffix; may be given again.",
    ),
]
BaselineFile = Annotated[
    Path | None,
    typer.Option(
        "--baseline", help="The sizes of before, as --update-baseline wrote them; disk and wire must not grow."
    ),
]
MaxRegression = Annotated[
    str | None,
    typer.Option("--max-regression", help='How far they may grow over the baseline, as "1%"; 0 if left out.'),
]
UpdateBaseline = Annotated[
    bool, typer.Option("--update-baseline", help="Accept the sizes: write them to --baseline, if all else is right.")
]
JunitFile = Annotated[
    Path | None,
    typer.Option("--junit", help="A file for the verdicts as JUnit XML, written on failure too, replaced if there."),
]
MarkdownFile = Annotated[
    Path | None,
    typer.Option("--markdown", help="A file for the sizes as a table for a pull request, likewise."),
]
TargetName = Annotated[
    str,
    typer.Option(
        "--target",
        help="litert: the stock CPU runtime; portable: readers that know no sparsity; tflm: the micro runtime.",
    ),
]
ObjectiveName = Annotated[
    Goal, typer.Option("--objective", help="What encoding makes small: the file, RAM, or time where that is known.")
]
ModelOut = Annotated[
    Path, typer.Option("--output", "-o", help=".tflite for the runtime, .tflz or .tflite.zst for the packed file.")
]


def samples_from(source: str | None) -> "Samples | None":
    """The samples that an option names, if it was given."""
    if source is None:
        return None
    from sparsetool.pipeline.sample_source import samples_named

    return samples_named(source)
