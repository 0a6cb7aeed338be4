"""The version of a FULLY_CONNECTED whose weights are dense."""

from typing import Any

import numpy as np

from sparsetool_converters.model import Operator, Tensor
from sparsetool_converters.targets.litert_limits import SPARSE_VERSION


def dense_version(operator: Operator) -> int:
    """The version that TensorFlow's converter writes for this operator with dense weights.

        12  float32 activations, int8 weights with a scale for each output
         6  no bias input
         5  keep_num_dims
         4  int8 throughout             10  int8 activations, int4 weights
         9  float32 activations, int8 weights, asymmetric_quantize_inputs; 3 without
         2  shuffled weights             1  all others

    Only version 8 keeps XNNPACK away, so any of these is delegated again; each was executed on all kernel sets.
    The order of the questions is that of GetBuiltinOperatorVersion, tflite/tools/versioning/op_version.cc @ f674577.

    Args:
        operator: a FULLY_CONNECTED. Any other operator, and any other version than 8, is right as it is.
    """
    version = operator.code.version
    if operator.name != "FULLY_CONNECTED" or version != SPARSE_VERSION or len(operator.inputs) < 2:
        return version
    activation, weight, options = operator.inputs[0], operator.inputs[1], operator.fields.builtinOptions
    types = (_type(activation), _type(weight))
    if types == ("FLOAT32", "INT8") and _is_per_channel(weight):
        return 12
    if len(operator.inputs) == 2:
        return 6
    if _option(options, "keepNumDims"):
        return 5
    if types == ("INT8", "INT8"):
        return 4
    if types == ("INT8", "INT4"):
        return 10
    if types == ("FLOAT32", "INT8"):
        return 9 if _option(options, "asymmetricQuantizeInputs") else 3
    return 2 if _option(options, "weightsFormat") else 1


def _type(tensor: Tensor | None) -> str:
    return "" if tensor is None else tensor.type_name


def _is_per_channel(weight: Tensor | None) -> bool:
    return weight is not None and weight.scales is not None and np.size(weight.scales) > 1


def _option(options: Any, name: str) -> bool:
    return bool(getattr(options, name, 0))
