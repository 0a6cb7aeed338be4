"""Which channels go.

A channel goes if nobody holds on to it and every layer that multiplies it by weights can do without: all the weights
that stay are zero for it, or it is a known constant that the layer's bias takes in.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparsetool_converters.model import Tensor
from sparsetool_converters.passes.compact.layer_values import Arithmetic, Layer, bias_of
from sparsetool_converters.passes.compact.ties import Axes, Numbers
from sparsetool_converters.passes.compact.view import Unclear, optional

Mask = npt.NDArray[np.bool_]
_LARGEST = {"INT32": 2.0**31 - 1, "FLOAT32": float(np.finfo(np.float32).max)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """What a layer's bias takes in.

    Attributes:
        layer: the layer.
        added: float64 [outputs], of the outputs there were before; whole numbers for integers.
        inputs: how many of the layer's inputs it stands for.
    """

    layer: Layer
    added: npt.NDArray[np.float64]
    inputs: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """What is to be done.

    Attributes:
        channels: how many go.
        keep: for each axis that loses positions, which ones stay.
        folds: the biases that change.
    """

    channels: int
    keep: dict[tuple[Tensor, int], Mask]
    folds: tuple[Fold, ...]


def decide(axes: Axes, layers: list[Layer]) -> Decision:
    """Everything that can go at once; each axis keeps at least one position."""
    channels = axes.channels()
    may_go = np.ones(len(channels), bool)
    may_go[channels[axes.pinned()]] = False
    unfit: set[Layer] = {layer for layer in layers if not _can_fold(layer)}
    while True:
        removed = _removable(axes, channels, may_go, layers, unfit)
        kept_again = (
            _one_of_each_empty_axis(axes, channels, removed)
            or _whole_lanes(axes, channels, removed)
            or _enough_positions(axes, channels, removed)
        )
        folds = _folds(axes, channels, removed, layers)
        overflowing = {fold.layer for fold in folds if fold.layer not in unfit and not _fits(fold, axes)}
        if not kept_again and not overflowing:
            break
        may_go[kept_again] = False
        unfit |= overflowing
    keep = {axis: ~removed[channels[axes.places(axis)]] for axis in axes.starts}
    return Decision(
        channels=int(np.count_nonzero(removed)),
        keep={axis: mask for axis, mask in keep.items() if not mask.all()},
        folds=tuple(folds),
    )


def _removable(axes: Axes, channels: Numbers, may_go: Mask, layers: list[Layer], unfit: set[Layer]) -> Mask:
    """By channel, whether it goes. What goes reads nothing any more, so that what only it read goes too."""
    is_channel = channels == np.arange(len(channels))
    removed = np.zeros(len(channels), bool)
    places = {
        layer: tuple(
            channels[axes.places((layer.contraction.weight, axis))]
            for axis in (0, len(layer.contraction.weight.shape) - 1)
        )
        for layer in layers
    }
    in_need: dict[Layer, Mask] = {}
    changed = set(layers)
    while True:
        for layer in changed:
            stays = ~removed[places[layer][0]]
            in_need[layer] = ~_without_reader(layer, stays) & ~_foldable(layer, layer in unfit)
        found = may_go & is_channel
        for layer, needed in in_need.items():
            found[places[layer][1][needed]] = False
        if np.array_equal(found, removed):
            return removed
        changed = {layer for layer in layers if (found != removed)[places[layer][0]].any()}
        removed = found


def _without_reader(layer: Layer, stays: Mask) -> Mask:
    """Columns that the remaining outputs multiply by zero. One that quantizes rows by their range reads all."""
    if layer.arithmetic is Arithmetic.HYBRID:
        return np.zeros(len(layer.known), bool)
    return np.logical_not(layer.present[stays].any(axis=0))


def _foldable(layer: Layer, is_unfit: bool) -> Mask:
    return np.asarray(layer.known == 0) if is_unfit else layer.constant_columns


def _can_fold(layer: Layer) -> bool:
    """Whether the layer has a bias to take constants in, or can get one."""
    contraction = layer.contraction
    bias = optional(contraction.operator, contraction.bias_position)
    if bias is None:
        return layer.arithmetic is not Arithmetic.INTEGER or contraction.x.type_name in ("INT8", "UINT8")
    return bias.type_name == ("INT32" if layer.arithmetic is Arithmetic.INTEGER else "FLOAT32")


def _one_of_each_empty_axis(axes: Axes, channels: Numbers, removed: Mask) -> list[int]:
    """For each axis that would lose all its positions, a channel that has to stay after all."""
    kept: list[int] = []
    for axis in axes.starts:
        own = channels[axes.places(axis)]
        if removed[own].all() and not np.isin(own, kept).any():
            kept.append(int(own[0]))
    return kept


def _whole_lanes(axes: Axes, channels: Numbers, removed: Mask) -> list[int]:
    """Channels that have to stay after all, so that those that are computed together are still computed so.

    With lanes of 8, the first 16 of 20 channels make two groups and 4 are left over. Of the 16, 8 may go or 16, and
    of the rest any: nobody changes sides.
    """
    kept: list[int] = []
    for lanes in axes.lanes:
        own = channels[axes.places(lanes.axis)]
        grouped = own[: len(own) - len(own) % lanes.width]
        going, count = np.unique(grouped[removed[grouped] & ~np.isin(grouped, kept)], return_counts=True)
        total = int(count.sum())
        for channel, positions in zip(going[::-1], count[::-1], strict=True):
            if total % lanes.width == 0:
                break
            kept.append(int(channel))
            total -= int(positions)
    return kept


def _enough_positions(axes: Axes, channels: Numbers, removed: Mask) -> list[int]:
    """Channels that have to stay after all, so that the runtime still chooses the same kernel."""
    kept: list[int] = []
    for least in axes.least:
        own = channels[axes.places(least.axis)]
        goes = removed[own] & ~np.isin(own, kept)
        missing = least.positions - int(np.count_nonzero(~goes))
        going, count = np.unique(own[goes], return_counts=True)
        for channel, positions in zip(going, count, strict=True):
            if missing <= 0:
                break
            kept.append(int(channel))
            missing -= int(positions)
    return kept


def _folds(axes: Axes, channels: Numbers, removed: Mask, layers: list[Layer]) -> list[Fold]:
    folds = []
    for layer in layers:
        weight = layer.contraction.weight
        gone = removed[channels[axes.places((weight, len(weight.shape) - 1))]]
        added = layer.added(gone & layer.constant_columns)
        if added.any():
            inputs = int(np.count_nonzero(gone & layer.constant_columns & (layer.known != 0)))
            folds.append(Fold(layer=layer, added=added, inputs=inputs))
    return folds


def _fits(fold: Fold, axes: Axes) -> bool:
    """Whether the sums can be stored in the bias."""
    contraction = fold.layer.contraction
    try:
        bias = bias_of(contraction.operator, contraction.bias_position, axes.view, len(fold.added))
    except Unclear:
        return False
    kind = "INT32" if fold.layer.arithmetic is Arithmetic.INTEGER else "FLOAT32"
    return bool((np.abs(bias + fold.added) <= _LARGEST[kind]).all())
