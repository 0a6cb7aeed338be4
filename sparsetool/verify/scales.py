"""Compare how the activations of two models are quantized, and hold each bias against the scales that it must follow.

A bias of an integer layer is added to sums of products, so its scale is that of the input times that of the weight:
tflite/kernels/kernel_util.cc, GetQuantizedConvolutionMultipler @ f674577. Where one of the three was changed alone, the
rule is broken, whatever the reference is.
"""

from collections.abc import Iterator

import numpy as np

from sparsetool.report.verification_record import VerificationFinding
from sparsetool.verify.pairing import are_aligned, core_operators
from sparsetool.verify.scaling import other_scaling, scaling
from sparsetool.verify.weight_comparison import QUANTIZATION
from sparsetool_converters.errors import VerificationError
from sparsetool_converters.model import Model, Operator, Tensor

# Operator -> positions of activation, weight and bias.
_WITH_BIAS = {
    "FULLY_CONNECTED": (0, 1, 2),
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
}
LARGEST_BIAS_SCALE_ERROR = 1e-3  # float32 products of float32 scales are known to 1e-7


def scale_findings(reference: Model, candidate: Model) -> tuple[VerificationFinding, ...]:
    """Every scale of an activation that is not the reference's, and of a bias that is not what others make it.

    Activations are only compared where both models store them in the same integers; a bias counts only if the
    reference's does not break the rule likewise.
    """
    found = dict(_bias_problems(candidate))
    for name in dict(_bias_problems(reference)):
        found.pop(name, None)
    problems = [*_activation_problems(reference, candidate), *found.items()]
    return tuple(
        VerificationFinding(kind=QUANTIZATION, where=name, problem=problem, exit_code=VerificationError.exit_code)
        for name, problem in problems
    )


def _activation_problems(reference: Model, candidate: Model) -> Iterator[tuple[str, str]]:
    if not are_aligned(reference, candidate):
        return
    for graph, other in zip(reference.subgraphs, candidate.subgraphs, strict=True):
        pairs = list(zip(graph.inputs, other.inputs, strict=False))
        for one, two in zip(core_operators(graph), core_operators(other), strict=True):
            pairs += zip(one.outputs, two.outputs, strict=False)
        for wanted, found in pairs:
            if wanted is None or found is None or wanted.type != found.type or wanted.is_constant:
                continue
            if wanted.type_name.startswith("FLOAT") or scaling(wanted) == scaling(found):
                continue
            yield found.name, other_scaling(wanted, found)


def _bias_problems(model: Model) -> Iterator[tuple[str, str]]:
    for _, operator in model.operators():
        if operator.name in _WITH_BIAS:
            x, weight, bias = (_input(operator, position) for position in _WITH_BIAS[operator.name])
            if x is None or weight is None or bias is None:
                continue
            if x.scales is None or weight.scales is None or bias.scales is None or x.scales.size != 1:
                continue
            if weight.scales.size not in (1, bias.scales.size):
                continue
            wanted = x.scales.astype(np.float64) * weight.scales.astype(np.float64)
            with np.errstate(divide="ignore", invalid="ignore"):
                off = bias.scales / wanted - 1
            worst = int(np.argmax(np.abs(off)))
            if np.isfinite(off[worst]) and abs(off[worst]) > LARGEST_BIAS_SCALE_ERROR:
                yield (
                    bias.name,
                    f"its scale is off by {off[worst]:+.2%}: {np.broadcast_to(bias.scales, off.shape)[worst]:.6g} "
                    f"instead of {np.broadcast_to(wanted, off.shape)[worst]:.6g}, the scale of {x.name} times that of "
                    f"{weight.name}",
                )


def _input(operator: Operator, position: int) -> Tensor | None:
    return operator.inputs[position] if position < len(operator.inputs) else None
