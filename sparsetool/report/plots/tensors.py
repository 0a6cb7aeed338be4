"""One tensor: its zeros without, with single and with blocked pruning side by side, and an animation of its pruning."""

import difflib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparsetool.report.plots.canvas import BLUE, GREY, ORANGE, as_image, as_png, figure
from sparsetool.report.pruning_record import PruningRecord, RecordedVariable
from sparsetool_converters.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image

STILL_CELLS = 40  # rows and columns: a block of 1x2 can be told
MOVING_CELLS = 64
PANEL_INCHES = 3.2
FRAME_MS, LAST_FRAME_MS = 160, 3000
NEARLY_WHITE = 248
PRUNED = (0.955, 0.955, 0.955)  # light grey; no kept weight has it
GOING = tuple(int(ORANGE[i : i + 2], 16) / 255 for i in (1, 3, 5))


def chosen_tensor(record: PruningRecord, name: str | None) -> int:
    """Return the index of the variable of this path, or of the largest if there is no name.

    Raises:
        UsageError: there is none of this path.
    """
    variables = record.numbers.variables
    if name is None:
        return max(range(len(variables)), key=lambda index: variables[index].weights)
    paths = [variable.variable for variable in variables]
    if name not in paths:
        near = difflib.get_close_matches(name, paths, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(paths)}"
        raise UsageError(f"tensor {name!r} is not in the record; {hint}")
    return paths.index(name)


def mask_picture(record: PruningRecord, index: int) -> bytes:
    """Draw a tensor before pruning, pruned at once by single weights and by blocks of 1x2, and by the run, as PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    variable, corner = record.numbers.variables[index], record.corners[index]
    share = _percent(variable.target_zeros / variable.weights, 0)
    panels = [("no sparsity", np.ones_like(corner.weights, np.bool_))]
    panels += [(f"{share} in blocks of {name}", mask) for name, mask in corner.examples.items()]
    if len(corner.masks):
        panels.append((f"in this run, at step {record.numbers.mask_steps[-1]:,}", corner.masks[-1]))
    rows, columns = corner.weights[:STILL_CELLS, :STILL_CELLS].shape
    panel_width = PANEL_INCHES * min(1.0, max(0.65, columns / rows))  # room for its title, however narrow the tensor
    width = panel_width * len(panels)
    with figure(width, min(PANEL_INCHES, panel_width * rows / columns) + 0.95) as drawn:
        drawn.suptitle(f"{record.numbers.model}: {variable.variable}", fontweight="bold", x=0.06 / width, ha="left")
        for axes, (title, mask) in zip(drawn.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _draw_cells(axes, _colours(corner.weights, mask, STILL_CELLS))
            zeros = _percent(1 - mask[:STILL_CELLS, :STILL_CELLS].mean(), 1)
            axes.set_title(title, fontsize=10, pad=18)
            below_title = {"xytext": (0, 5), "textcoords": "offset points", "fontsize": 8.5, "color": GREY}
            axes.annotate(f"{zeros} zeros here", (0, 1), xycoords="axes fraction", **below_title)
        text = f"{_what_is_shown(variable, rows, columns)} Kept weights: the darker, the larger before pruning."
        drawn.supxlabel(text, fontsize=8.5, x=0.06 / width, ha="left", color=GREY)
        return as_png(drawn)


def pruning_animation(record: PruningRecord, index: int) -> bytes:
    """Draw a tensor losing its weights beside the curve of its sparsity, as an animated GIF.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    corner = record.corners[index]
    everything = np.ones((1, *corner.weights.shape), np.bool_)
    masks = np.concatenate([everything, corner.masks])
    frames = [_frame(record, index, masks, frame) for frame in range(len(masks))]
    return _gif([*frames, _frame(record, index, masks, len(masks))])


def _frame(record: PruningRecord, index: int, masks: NDArray[np.bool_], frame: int) -> "Image":
    """The frame of this number: weights that go with it are bright; after the last mask, nothing goes any more."""
    numbers, variable, corner = record.numbers, record.numbers.variables[index], record.corners[index]
    now = min(frame, len(masks) - 1)
    going = masks[frame - 1] & ~masks[now] if frame else np.zeros_like(masks[0])
    steps = [0, *(refresh.step for refresh in numbers.refreshes), numbers.steps]
    shares = [0.0, *(100 * refresh.zeros[index] / variable.weights for refresh in numbers.refreshes)]
    step = numbers.mask_steps[now - 1] if now else 0
    share = shares[1 + [r.step for r in numbers.refreshes].index(step)] if now else 0.0
    with figure(8.4, 4.5) as drawn:
        left, right = drawn.subplots(1, 2, width_ratios=[1.1, 1])
        colours = _colours(corner.weights, masks[now], MOVING_CELLS)
        colours[going[:MOVING_CELLS, :MOVING_CELLS]] = GOING
        _draw_cells(left, colours)
        left.set_title(variable.variable, fontweight="bold")
        text = (
            f"{_what_is_shown(variable, *colours.shape[:2])}\nDarker: larger before pruning. Orange: pruned just now."
        )
        left.set_xlabel(text, fontsize=8, color=GREY, loc="left", linespacing=1.5)
        right.step(steps, [*shares, shares[-1]], where="post", color=BLUE, linewidth=1.6)
        right.plot([step], [share], "o", color=ORANGE, markersize=8)
        right.set(xlim=(0, numbers.steps), ylim=(0, 104), xlabel="training step", ylabel="sparsity of the tensor [%]")
        right.xaxis.set_major_formatter("{x:,.0f}")
        right.locator_params(axis="x", nbins=5)
        right.grid(axis="y", alpha=0.25)
        when = f"step {step:,}" if now else "before pruning"
        right.set_title(f"{when}: {share:.1f} % zeros", fontweight="bold")
        return as_image(drawn)


def _gif(frames: "list[Image]") -> bytes:
    from PIL import Image

    first, middle, last = frames[0], frames[len(frames) // 2], frames[-1]
    sample = Image.new("RGB", (3 * first.width, first.height))
    for place, frame in enumerate((first, middle, last)):
        sample.paste(frame, (place * first.width, 0))
    palette = sample.quantize(256, method=Image.Quantize.MAXCOVERAGE)
    colours = np.array(palette.getpalette(), np.uint8).reshape(-1, 3)
    colours[colours.min(axis=1) >= NEARLY_WHITE] = 255  # the search for the nearest colour is rough; paper stays white
    palette.putpalette(colours.ravel().tolist())
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [*[FRAME_MS] * (len(frames) - 1), LAST_FRAME_MS]
    written = io.BytesIO()
    drawn[0].save(written, "GIF", save_all=True, append_images=drawn[1:], duration=durations, loop=0, optimize=False)
    return written.getvalue()


def _colours(weights: NDArray[np.float32], mask: NDArray[np.bool_], cells: int) -> NDArray[Any]:
    """RGB `[rows, columns, 3]` of the first rows and columns: kept weights by their rank among all shown."""
    import matplotlib as mpl

    shown, kept = np.abs(weights[:cells, :cells]), mask[:cells, :cells]
    ranks = shown.ravel().argsort().argsort().reshape(shown.shape) / max(shown.size - 1, 1)
    colours = np.asarray(mpl.colormaps["Blues"](0.3 + 0.7 * ranks))[..., :3]
    colours[~kept] = PRUNED
    return colours


def _draw_cells(axes: "Axes", colours: NDArray[Any]) -> None:
    rows, columns = colours.shape[:2]
    axes.imshow(colours, interpolation="nearest", extent=(0, columns, rows, 0))
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_anchor("NW")
    width = 20 / max(rows, columns)
    axes.hlines(range(1, rows), 0, columns, color="white", linewidth=width)
    axes.vlines(range(1, columns), 0, rows, color="white", linewidth=width)


def _what_is_shown(variable: RecordedVariable, rows: int, columns: int) -> str:
    outputs, inputs = variable.shape[0], variable.weights // variable.shape[0]
    return f"Rows: {rows} of {outputs:,} outputs. Columns: {columns} of {inputs:,} inputs."


def _percent(share: float, digits: int) -> str:
    return f"{100 * share:.{digits}f} %"
