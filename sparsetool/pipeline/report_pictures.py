"""What a report draws: the zeros of layers from the models of a run, and curves from its record of pruning.

Their number and size are bounded, so that a page can be sent by mail.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from sparsetool.pipeline.events import Listener
from sparsetool.report.html import Curve, MaskPicture, Pictures
from sparsetool.report.plots import layers_over_time, ramp_up
from sparsetool.report.plots.weights import kept_shares, weight_picture
from sparsetool.report.pruning_record import PruningRecord
from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.passes import Densify
from sparsetool_converters.passes.densify import MAX_OUTPUT_BYTES
from sparsetool_converters.weights import weight_sites

MOST_LAYERS = 12  # of one artifact
MOST_MASK_BYTES = 600_000  # of all artifacts
MOST_CURVE_BYTES = 300_000  # of one drawing
LONGEST_SIDE = 160  # pixels on the page
SHORTEST_SIDE = 12


def draw_pictures(models: Mapping[str, bytes], pruning: PruningRecord | None, *, listener: Listener) -> Pictures:
    """Draw what there is.

    Args:
        models: bytes of the .tflite by the artifact's name.
        pruning: what happened during training, if that was recorded.
        listener: hears of progress.

    Raises:
        MissingExtraError: the libraries that draw are not installed.
    """
    masks: list[MaskPicture] = []
    missing: list[str] = []
    left_bytes = MOST_MASK_BYTES
    for done, (name, data) in enumerate(models.items()):
        listener.progress("draw", done, len(models), name)
        try:
            found = list(_weights(data, name))
        except SparseToolError as problem:
            missing.append(f"Layers of {name} are not drawn: {problem}.")
            continue
        sparse = [tensor for tensor in found if np.any(tensor.array() == 0)]
        drawn = [_picture(name, tensor) for tensor in sparse[:MOST_LAYERS]]
        size_bytes = sum(len(picture.png) for picture in drawn)
        if size_bytes > left_bytes:
            missing.append(f"Layers of {name} are not drawn: the page would grow too large.")
            continue
        left_bytes -= size_bytes
        masks += drawn
        if len(sparse) > len(drawn):
            missing.append(f"Of {name}, the {len(drawn)} largest of {len(sparse)} layers with zeros are drawn.")
    if models:
        listener.progress("draw", len(models), len(models))
    return Pictures(masks=tuple(masks), curves=_curves(pruning), missing=tuple(missing))


def _weights(data: bytes, name: str) -> Iterator[Tensor]:
    """Weights of numbers, decoded, each once, the largest first."""
    model = Model.from_bytes(data, where=name)
    Densify(max_output_bytes=MAX_OUTPUT_BYTES)(model)
    tensors = dict.fromkeys(site.tensor for site in weight_sites(model))
    known = [t for t in tensors if (t.element_dtype is not None or t.packing is not None) and len(t.shape) > 1]
    yield from sorted(known, key=lambda tensor: -int(np.prod(tensor.shape)))


def _picture(artifact: str, tensor: Tensor) -> MaskPicture:
    shares = kept_shares(tensor.array())
    rows, columns = shares.shape
    factor = max(1, LONGEST_SIDE // max(rows, columns))
    return MaskPicture(
        artifact=artifact,
        layer=tensor.name,
        shape=tensor.shape,
        png=weight_picture(shares),
        width=max(columns * factor, SHORTEST_SIDE),
        height=max(rows * factor, SHORTEST_SIDE),
    )


def _curves(pruning: PruningRecord | None) -> tuple[Curve, ...]:
    if pruning is None or not pruning.numbers.refreshes:
        return ()
    drawings = (
        ("Sparsity as asked for and as reached, and the metrics of training, over its steps", ramp_up),
        ("Sparsity of each pruned layer over the steps of training", layers_over_time),
    )
    curves = [Curve(title=title, svg=draw(pruning)) for title, draw in drawings]
    return tuple(curve for curve in curves if len(curve.svg) <= MOST_CURVE_BYTES)
