"""What the quantizer gets wrong on pruned weights, put right.

A channel that pruning emptied has range 0, for which the quantizer writes a scale of 0, or near 1e-11. With a scale of
0 no model loads. With the other, the channel's weights are zero as they should be, but the scale of its bias is that
scale times the input's, so that the bias overflows and the channel's constant output is lost. Such a channel gets the
largest scale of its neighbours instead, and its bias is quantized again from the float model. So does a channel whose
weights are not zero but too small for its bias.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool_converters.model import Buffer, Model, Tensor
from sparsetool_converters.passes.asymmetric_inputs import quantize_inputs_asymmetrically
from sparsetool_converters.passes.change import Change
from sparsetool_converters.weights import WeightSite, weight_sites

# Operator -> the inputs that hold its activation and its bias; the kernels' Prepare, tflite/kernels/*.cc @ f674577.
_ACTIVATION_AND_BIAS = {
    "FULLY_CONNECTED": (0, 2),
    "CONV_2D": (0, 2),
    "DEPTHWISE_CONV_2D": (0, 2),
    "TRANSPOSE_CONV": (2, 3),
}
INTEGERS = ("INT8", "INT4", "INT2")
# A bias stays under half of what holds it, so that sums cannot overflow by it alone. An int64 bias comes from int32 in
# the quantizer, and kernels read it through a 48-bit multiplication, tflite/kernels/internal/common.cc @ f674577.
HEADROOM = 2.0**30
SMALLEST_SCALE = float(np.finfo(np.float32).tiny)  # the least float32 that XNNPACK takes for a normal number


def mend_empty_channels(quantized: Model, original: Model) -> list[Change]:
    """Give all-zero channels of integer weights a usable scale, and their biases the value they had.

    Args:
        quantized: the quantizer's output, edited in place.
        original: the float model it was made from, with the same tensor names.
    """
    float_tensors = {t.name: t for graph in original.subgraphs for t in graph.tensors if t.is_constant}
    sites: dict[Tensor, list[WeightSite]] = {}
    for site in weight_sites(quantized):
        weight = site.tensor
        untouched = weight.name in float_tensors and float_tensors[weight.name].type == weight.type
        if weight.type_name in INTEGERS and not weight.is_sparse and not untouched:
            sites.setdefault(weight, []).append(site)
    found = (_mend(weight, readers, float_tensors) for weight, readers in sites.items())
    return [change for change in found if change is not None]


def _mend(weight: Tensor, sites: list[WeightSite], float_tensors: Mapping[str, Tensor]) -> Change | None:
    scales = weight.scales
    if scales is None:
        return None
    axis = int(weight.quantization.quantizedDimension) if len(scales) > 1 else None
    if axis is not None and (axis >= len(weight.shape) or scales.shape[0] != weight.shape[axis]):
        return None
    used = weight.array() != _zero_points(weight, axis)
    others = None if axis is None else tuple(i for i in range(used.ndim) if i != axis)
    usable = np.isfinite(scales) & (scales >= SMALLEST_SCALE)
    empty = ~np.reshape(used.any(axis=others), -1) | ~usable  # (channels,)
    biases = [
        (bias, original, _input_scale(site))
        for site in sites
        if (bias := _bias_of(site)) is not None
        for original in [_original(bias, float_tensors)]
    ]
    if any(original is None for _, original, _ in biases):
        return None
    new = scales.copy()
    new[empty] = scales[~empty].max() if not empty.all() else 1.0
    # An integer bias stands for bias * input scale * weight scale: the scale must leave it room.
    for _, original, input_scale in biases:
        assert original is not None
        room = np.abs(original.array().astype(np.float64)) / (HEADROOM * input_scale)
        room = room if axis is not None else room.max(keepdims=True)
        new = np.maximum(new, room.astype(np.float32))
    changed = new != scales
    if not changed.any():
        return None
    _requantize_weight(weight, scales, new, changed & ~empty, axis)
    for bias, original, input_scale in biases:
        assert original is not None
        _requantize_bias(bias, original.array().astype(np.float64), input_scale * new.astype(np.float64), changed)
    weight.quantization.scale = new
    what = f"{int(empty.sum()):,} of {len(empty):,} channels are empty: scale set to a usable one"
    cramped = int((changed & ~empty).sum())
    if cramped:
        what = f"{what}; {cramped:,} too narrow for their bias: scale widened"
    size = weight.buffer.nbytes
    return Change(tensor=weight.name, what=what, bytes_before=size, bytes_after=size)


def _original(bias: Tensor, float_tensors: Mapping[str, Tensor]) -> Tensor | None:
    return float_tensors.get(bias.name) or float_tensors.get(bias.name.removesuffix("_duplicated"))


def _bias_of(site: WeightSite) -> Tensor | None:
    _, position = _ACTIVATION_AND_BIAS.get(site.operator.name, (0, 0))
    bias = site.operator.inputs[position] if 0 < position < len(site.operator.inputs) else None
    return bias if bias is not None and bias.is_constant and bias.type_name in ("INT32", "INT64") else None


def _input_scale(site: WeightSite) -> float:
    position, _ = _ACTIVATION_AND_BIAS.get(site.operator.name, (0, 0))
    activation = site.operator.inputs[position]
    scales = activation.scales if activation is not None else None
    return 1.0 if scales is None else float(scales[0])


def _requantize_weight(
    weight: Tensor, old: npt.NDArray[Any], new: npt.NDArray[Any], at: npt.NDArray[np.bool_], axis: int | None
) -> None:
    """Bring the channels at `at` from one scale to a larger one; those left out keep their values."""
    if not at.any():
        return
    ratio = np.where(at, old.astype(np.float64) / new, 1.0)
    zero = _zero_points(weight, axis)
    values = np.rint((weight.array() - zero) * _along(ratio, weight, axis) + zero).astype(np.int8)
    weight.buffer = Buffer(weight.payload_of(values))


def _zero_points(weight: Tensor, axis: int | None) -> npt.NDArray[Any]:
    """What stands for zero, so that it broadcasts with the weight."""
    points = weight.quantization.zeroPoint
    known = np.zeros(1, np.int64) if points is None or len(points) == 0 else np.asarray(points, np.int64)
    return _along(known, weight, axis)


def _along(values: npt.NDArray[Any], weight: Tensor, axis: int | None) -> npt.NDArray[Any]:
    return values.reshape([1 if i != axis or len(values) == 1 else -1 for i in range(len(weight.shape))])


def _requantize_bias(bias: Tensor, wanted: npt.NDArray[np.float64], scales: npt.NDArray[Any], at: Any) -> None:
    per_channel = len(scales) == len(wanted)
    values, every = bias.array().copy(), np.broadcast_to(scales, wanted.shape)
    where = at if per_channel else np.ones(wanted.shape, bool)
    values[where] = np.rint(wanted[where] / every[where]).astype(values.dtype)
    bias.buffer = Buffer(values.view(np.uint8))
    bias_scales = bias.scales
    assert bias_scales is not None
    bias_scales = bias_scales.copy()
    bias_scales[at] = scales[at].astype(np.float32)
    bias.quantization.scale = bias_scales


def quantize_hybrid_inputs_asymmetrically(model: Model, hybrid_before: set[str]) -> None:
    """Make every FULLY_CONNECTED that has become hybrid give the same numbers on all kernel sets.

    Args:
        model: edited in place.
        hybrid_before: names of the weights that were hybrid before, whose operators stay as they are.
    """
    for site in hybrid_sites(model):
        if site.operator.name == "FULLY_CONNECTED" and site.tensor.name not in hybrid_before:
            quantize_inputs_asymmetrically(site.operator)


def hybrid_sites(model: Model) -> list[WeightSite]:
    """Where integer weights meet float activations without a DEQUANTIZE between them."""
    uses = [(site, site.use) for site in weight_sites(model)]
    return [s for s, use in uses if use.weight in INTEGERS and use.activation == "FLOAT32" and not use.dequantized]
