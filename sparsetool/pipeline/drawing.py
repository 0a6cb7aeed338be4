"""A record of pruning in, pictures of it out."""

from pathlib import Path

from sparsetool.pipeline.outputs import check_destination, holds, write
from sparsetool.report.pruning_record import read_record
from sparsetool_converters.errors import ModelFormatError, OutputError


def draw_record(
    folder: Path, out: Path | None = None, *, tensor: str | None = None, force: bool = False
) -> tuple[Path, ...]:
    """Draw what `prune_recipe` recorded: the ramp-up, the layers over time, and a tensor, still and moving.

    Args:
        folder: where the record is.
        out: folder for the pictures, by default that of the record; it is made if it is not there.
        tensor: path of the variable to draw, by default the largest.
        force: whether other pictures of these names may be replaced.

    Returns:
        Where they are.

    Raises:
        ModelFormatError: there is no record, it is damaged, or nothing was pruned.
        MissingExtraError: matplotlib is not installed.
        OutputError: a picture exists already and is another one, or cannot be written.
        UsageError: no tensor of this name was pruned.
    """
    from sparsetool.report.plots import chosen_tensor, layers_over_time, mask_picture, pruning_animation, ramp_up

    record = read_record(folder)
    if not record.numbers.refreshes:
        raise ModelFormatError(str(folder), "tells of no refresh of masks, so there is nothing to draw")
    index = chosen_tensor(record, tensor)
    name = record.numbers.variables[index].variable.replace("/", "-")
    out = out or folder
    pictures = {
        out / "ramp-up.svg": ramp_up(record),
        out / "layers.svg": layers_over_time(record),
        out / f"mask-{name}.png": mask_picture(record, index),
        out / f"pruning-{name}.gif": pruning_animation(record, index),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(str(out), f"cannot be written: {problem.strerror}") from problem
    changed = {path: content for path, content in pictures.items() if not holds(path, content)}
    for path in changed:
        check_destination(path, force=force)
    for path, content in changed.items():
        write(path, content)
    return tuple(pictures)
