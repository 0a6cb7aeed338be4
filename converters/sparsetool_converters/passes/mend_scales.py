"""What the quantizer gets wrong on pruned weights, put right.

A channel that pruning emptied has range 0, for which the quantizer writes a scale near 1e-11. Its weights are
zero under any scale, but the scale of its bias is that scale times the input's, so that an int32 bias overflows and
the channel's constant output is lost. Such a channel gets the largest scale of its neighbours instead, and its bias
is quantized again from the float model.
"""

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
INT32_HEADROOM = 2.0**30  # a bias stays under half of int32, so that sums cannot overflow by it alone


def mend_empty_channels(quantized: Model, original: Model) -> list[Change]:
    """Give all-zero channels of int8 weights a usable scale, and their biases the value they had.

    Args:
        quantized: the quantizer's output, edited in place.
        original: the float model it was made from, with the same tensor names.
    """
    float_tensors = {t.name: t for graph in original.subgraphs for t in graph.tensors if t.is_constant}
    sites: dict[Tensor, list[WeightSite]] = {}
    for site in weight_sites(quantized):
        if site.tensor.type_name == "INT8" and site.tensor.quantization is not None:
            sites.setdefault(site.tensor, []).append(site)
    found = (_mend(weight, readers, float_tensors) for weight, readers in sites.items())
    return [change for change in found if change is not None]


def _mend(weight: Tensor, sites: list[WeightSite], float_tensors: dict[str, Tensor]) -> Change | None:
    scales, axis = weight.scales, int(weight.quantization.quantizedDimension)
    if scales is None or len(scales) < 2 or scales.shape[0] != weight.shape[axis]:
        return None
    others = tuple(i for i in range(len(weight.shape)) if i != axis)
    empty = ~(weight.array() != 0).any(axis=others)  # (channels,)
    biases = [(bias, _input_scale(site)) for site in sites if (bias := _bias_of(site)) is not None]
    if not empty.any() or any(bias.name not in float_tensors for bias, _ in biases):
        return None
    new = scales.copy()
    new[empty] = scales[~empty].max() if not empty.all() else 1.0
    # An int32 bias stands for bias * input scale * weight scale: the scale must leave it room.
    for bias, input_scale in biases:
        room = np.abs(float_tensors[bias.name].array().astype(np.float64)) / (INT32_HEADROOM * input_scale)
        new[empty] = np.maximum(new, room.astype(np.float32))[empty]
    for bias, input_scale in biases:
        wanted = float_tensors[bias.name].array().astype(np.float64)
        _requantize(bias, wanted, input_scale * new.astype(np.float64), empty)
    weight.quantization.scale = new
    return Change(
        tensor=weight.name,
        what=f"{int(empty.sum()):,} of {len(empty):,} channels are empty: scale set to a usable one",
        bytes_before=weight.buffer.nbytes,
        bytes_after=weight.buffer.nbytes,
    )


def _bias_of(site: WeightSite) -> Tensor | None:
    _, position = _ACTIVATION_AND_BIAS.get(site.operator.name, (0, 0))
    bias = site.operator.inputs[position] if 0 < position < len(site.operator.inputs) else None
    return bias if bias is not None and bias.is_constant and bias.type_name == "INT32" else None


def _input_scale(site: WeightSite) -> float:
    position, _ = _ACTIVATION_AND_BIAS.get(site.operator.name, (0, 0))
    activation = site.operator.inputs[position]
    scales = activation.scales if activation is not None else None
    return 1.0 if scales is None else float(scales[0])


def _requantize(bias: Tensor, wanted: npt.NDArray[np.float64], scales: npt.NDArray[Any], at: Any) -> None:
    values = bias.array().copy()
    values[at] = np.rint(wanted[at] / scales[at]).astype(np.int32)
    bias.buffer = Buffer(values.view(np.uint8))
    bias_scales = bias.scales
    assert bias_scales is not None
    bias_scales = bias_scales.copy()
    bias_scales[at] = scales[at].astype(np.float32)
    bias.quantization.scale = bias_scales


def quantize_hybrid_inputs_asymmetrically(model: Model) -> None:
    """Make every hybrid FULLY_CONNECTED give the same numbers on all kernel sets."""
    for site in weight_sites(model):
        use = site.use
        if use.op == "FULLY_CONNECTED" and (use.weight, use.activation) == ("INT8", "FLOAT32") and not use.dequantized:
            quantize_inputs_asymmetrically(site.operator)
