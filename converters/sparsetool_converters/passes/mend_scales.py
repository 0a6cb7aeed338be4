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
from sparsetool_converters.passes.change import Change
from sparsetool_converters.weights import WeightSite, weight_sites

BIAS_INPUT = 2  # of FULLY_CONNECTED, CONV_2D and DEPTHWISE_CONV_2D
INT32_HEADROOM = 2.0**30  # a bias stays under half of int32, so that sums cannot overflow by it alone


def mend_empty_channels(quantized: Model, original: Model) -> list[Change]:
    """Give all-zero channels of int8 weights a usable scale, and their biases the value they had.

    Args:
        quantized: the quantizer's output, edited in place.
        original: the float model it was made from, with the same tensor names.
    """
    float_tensors = {t.name: t for graph in original.subgraphs for t in graph.tensors if t.is_constant}
    sites = [s for s in weight_sites(quantized) if s.tensor.type_name == "INT8" and s.tensor.quantization is not None]
    changes = []
    for site in {s.tensor: s for s in sites}.values():
        change = _mend(site, float_tensors)
        if change is not None:
            changes.append(change)
    return changes


def _mend(site: WeightSite, float_tensors: dict[str, Tensor]) -> Change | None:
    weight, scales = site.tensor, site.tensor.scales
    axis = int(weight.quantization.quantizedDimension)
    if scales is None or len(scales) < 2 or scales.shape[0] != weight.shape[axis]:
        return None
    others = tuple(i for i in range(len(weight.shape)) if i != axis)
    empty = ~(weight.array() != 0).any(axis=others)  # (channels,)
    if not empty.any():
        return None
    new = scales.copy()
    new[empty] = scales[~empty].max() if not empty.all() else 1.0
    bias = _bias_of(site)
    if bias is not None and bias.name in float_tensors:
        # An int32 bias stands for bias * input scale * weight scale: the scale must leave it room.
        wanted = float_tensors[bias.name].array().astype(np.float64)
        input_scale = _input_scale(site)
        room = np.abs(wanted) / (INT32_HEADROOM * input_scale)
        new[empty] = np.maximum(new, room.astype(np.float32))[empty]
        _requantize(bias, wanted, input_scale * new.astype(np.float64), empty)
    weight.quantization.scale = new
    return Change(
        tensor=weight.name,
        what=f"{int(empty.sum()):,} of {len(empty):,} channels are empty: scale set to a usable one",
        bytes_before=weight.buffer.nbytes,
        bytes_after=weight.buffer.nbytes,
    )


def _bias_of(site: WeightSite) -> Tensor | None:
    if len(site.operator.inputs) <= BIAS_INPUT or site.operator.name == "TRANSPOSE_CONV":
        return None
    bias = site.operator.inputs[BIAS_INPUT]
    return bias if bias is not None and bias.is_constant and bias.type_name == "INT32" else None


def _input_scale(site: WeightSite) -> float:
    activation = site.operator.inputs[0]
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
    """Make hybrid FULLY_CONNECTED quantize its input as XNNPACK does, whichever kernel runs it.

    The builtin kernels do so only when asked (`asymmetric_quantize_inputs`), XNNPACK always does: without the
    option one file gives different numbers with and without delegates.
    """
    for site in weight_sites(model):
        use = site.use
        if use.op == "FULLY_CONNECTED" and (use.weight, use.activation) == ("INT8", "FLOAT32") and not use.dequantized:
            site.operator.fields.builtinOptions.asymmetricQuantizeInputs = True
