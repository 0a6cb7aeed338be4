"""Pictures of a pruning record: curves as SVG, tensors as PNG and GIF; the same record gives the same bytes."""

from sparsetool.report.plots.curves import layers_over_time, ramp_up
from sparsetool.report.plots.tensors import chosen_tensor, mask_picture, pruning_animation

__all__ = ["chosen_tensor", "layers_over_time", "mask_picture", "pruning_animation", "ramp_up"]
