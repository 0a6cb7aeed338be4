"""Sparsity over the run: of everything, with loss and metrics under it, and layer by layer."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sparsetool.report.plots.canvas import BLUE, GREEN, GREY, ORANGE, as_svg, figure
from sparsetool.report.pruning_record import Numbers, PruningRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_LABEL = 44  # characters of a variable's path


def ramp_up(record: PruningRecord) -> bytes:
    """Draw sparsity as asked for and as reached, over loss and metrics, as SVG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    numbers = record.numbers
    told = {name for point in numbers.metrics for name, value in point.values.items() if value is not None}
    names = sorted(told, key=lambda name: (name != "loss", name))
    with figure(8, 3.4 + 1.3 * len(names)) as drawn:
        heights = [2.4] + [1.0] * len(names)
        top, *lower = drawn.subplots(1 + len(names), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        _draw_ramp(top, numbers)
        for axes, name in zip(lower, names, strict=True):
            values = [point.values.get(name) for point in numbers.metrics]
            axes.plot([point.step for point in numbers.metrics], np.array(values, float), color=GREEN, linewidth=1.2)
            axes.set_ylabel(name)
            axes.set_title("mean of the epoch so far", fontsize=8.5, color=GREY, loc="right", pad=2)
            axes.grid(axis="y", alpha=0.25)
        _label_steps((lower or [top])[-1], numbers)
        _mark_epochs([top, *lower], numbers)
        drawn.align_ylabels()
        return as_svg(drawn)


def layers_over_time(record: PruningRecord) -> bytes:
    """Draw the sparsity of each pruned variable over the run, a row for each, as SVG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    numbers = record.numbers
    variables = numbers.variables
    with figure(9.5, 1.5 + max(0.24, 0.5 - 0.02 * len(variables)) * len(variables)) as drawn:
        axes = drawn.subplots()
        edges = [0, *(refresh.step for refresh in numbers.refreshes), numbers.steps]
        shares = 100 * _sparsities(numbers)  # (refreshes, variables)
        before_and_after = np.vstack([np.zeros((1, len(variables))), shares])
        rows = np.arange(len(variables) + 1)
        mesh = axes.pcolormesh(edges, rows, before_and_after.T, cmap="viridis", vmin=0, vmax=100, rasterized=True)
        axes.invert_yaxis()
        axes.set_yticks(rows[:-1] + 0.5, [_shortened(v.variable) for v in variables], fontsize=9)
        axes.tick_params(axis="y", length=0)
        for row in rows[1:-1]:
            axes.axhline(row, color="white", linewidth=1)
        right = axes.secondary_yaxis("right")
        ends = [
            f"{share:.1f} % of {v.weights:,} weights" for share, v in zip(before_and_after[-1], variables, strict=True)
        ]
        right.set_yticks(rows[:-1] + 0.5, ends, fontsize=9)
        right.tick_params(axis="y", length=0)
        for spine in (*axes.spines.values(), *right.spines.values()):
            spine.set_visible(False)
        axes.set_title(f"{numbers.model}: sparsity of each pruned layer over the run", fontweight="bold")
        _label_steps(axes, numbers)
        bar = drawn.colorbar(mesh, ax=axes, orientation="vertical", fraction=0.025, pad=0.02, aspect=18)
        bar.set_label("sparsity [%]")
        bar.outline.set_visible(False)
        return as_svg(drawn)


def _draw_ramp(axes: "Axes", numbers: Numbers) -> None:
    steps = [refresh.step for refresh in numbers.refreshes]
    weights = np.array([variable.weights for variable in numbers.variables])
    reached = 100 * _sparsities(numbers) @ weights / weights.sum()
    asked = [100 * refresh.asked for refresh in numbers.refreshes]
    axes.plot(
        steps, asked, "o", color=ORANGE, markersize=5, alpha=0.8, label="asked for by the schedule, at each refresh"
    )
    axes.step(
        [0, *steps, numbers.steps],
        [0, *reached, reached[-1]],
        where="post",
        color=BLUE,
        linewidth=1.6,
        label="reached: zeros of all pruned layers",
    )
    axes.set_ylim(0, 104)
    axes.set_ylabel("sparsity [%]")
    axes.grid(axis="y", alpha=0.25)
    axes.annotate(
        f"{reached[-1]:.1f} %",
        (numbers.steps, reached[-1]),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        color=BLUE,
        annotation_clip=False,
    )
    axes.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none")
    axes.set_title(f"{numbers.model}: sparsity over the run", fontweight="bold")


def _label_steps(axes: "Axes", numbers: Numbers) -> None:
    axes.set_xlim(0, numbers.steps)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(f"training step [batches, {numbers.steps_per_epoch:,} in an epoch]")


def _mark_epochs(all_axes: "list[Axes]", numbers: Numbers) -> None:
    epochs = numbers.steps // numbers.steps_per_epoch
    if epochs > 30:
        return
    for axes in all_axes:
        for epoch in range(1, epochs):
            axes.axvline(epoch * numbers.steps_per_epoch, color=GREY, linewidth=0.6, linestyle=":", zorder=0)


def _sparsities(numbers: Numbers) -> NDArray[np.float64]:
    """Share of zeros, `[refreshes, variables]`."""
    zeros = np.array([refresh.zeros for refresh in numbers.refreshes], np.float64)
    weights = np.array([variable.weights for variable in numbers.variables], np.float64)
    shares: NDArray[np.float64] = zeros.reshape(-1, weights.size) / weights
    return shares


def _shortened(path: str) -> str:
    return path if len(path) <= LONGEST_LABEL else f"...{path[3 - LONGEST_LABEL :]}"
