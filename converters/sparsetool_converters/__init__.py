"""Bytes in, bytes out: rewrite .tflite models into sparse, quantized and compressed ones.

Needs neither TensorFlow nor Keras, and loads no interpreter. Names are loaded when they are first used, since the
errors live here too, and whoever only wants these should not wait for numpy and the schema.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsetool_converters.codec import compress, decompress, pack, unpack
    from sparsetool_converters.costs import Choice, Objective
    from sparsetool_converters.errors import SparseToolError
    from sparsetool_converters.model import Model
    from sparsetool_converters.passes import Canonicalize, Change, CompactHiddenUnits, Densify, EncodeSparse, Pass
    from sparsetool_converters.passes.quantize import Quantization, Quantize
    from sparsetool_converters.plan import Encode, Keep, Plan, make_plan
    from sparsetool_converters.targets import LITERT, PORTABLE, Target, target_named
    from sparsetool_converters.targets.lint import Finding, lint

_HOMES = {
    "Canonicalize": "sparsetool_converters.passes",
    "Change": "sparsetool_converters.passes",
    "Choice": "sparsetool_converters.costs",
    "CompactHiddenUnits": "sparsetool_converters.passes",
    "Densify": "sparsetool_converters.passes",
    "Encode": "sparsetool_converters.plan",
    "EncodeSparse": "sparsetool_converters.passes",
    "Finding": "sparsetool_converters.targets.lint",
    "Keep": "sparsetool_converters.plan",
    "LITERT": "sparsetool_converters.targets",
    "Model": "sparsetool_converters.model",
    "Objective": "sparsetool_converters.costs",
    "PORTABLE": "sparsetool_converters.targets",
    "Pass": "sparsetool_converters.passes",
    "Plan": "sparsetool_converters.plan",
    "Quantization": "sparsetool_converters.passes.quantize",
    "Quantize": "sparsetool_converters.passes.quantize",
    "SparseToolError": "sparsetool_converters.errors",
    "Target": "sparsetool_converters.targets",
    "compress": "sparsetool_converters.codec",
    "decompress": "sparsetool_converters.codec",
    "lint": "sparsetool_converters.targets.lint",
    "make_plan": "sparsetool_converters.plan",
    "pack": "sparsetool_converters.codec",
    "target_named": "sparsetool_converters.targets",
    "unpack": "sparsetool_converters.codec",
}

__all__ = [
    "LITERT",
    "PORTABLE",
    "Canonicalize",
    "Change",
    "Choice",
    "CompactHiddenUnits",
    "Densify",
    "Encode",
    "EncodeSparse",
    "Finding",
    "Keep",
    "Model",
    "Objective",
    "Pass",
    "Plan",
    "Quantization",
    "Quantize",
    "SparseToolError",
    "Target",
    "compress",
    "decompress",
    "lint",
    "make_plan",
    "pack",
    "target_named",
    "unpack",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
