"""Bytes in, bytes out: rewrite .tflite models into sparse, quantized and compressed ones.

Needs neither TensorFlow nor Keras, and loads no interpreter.
"""

from sparsetool_converters.codec import compress, decompress
from sparsetool_converters.costs import Choice, Objective
from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.model import Model
from sparsetool_converters.passes import Canonicalize, Change, CompactHiddenUnits, Densify, EncodeSparse, Pass
from sparsetool_converters.passes.quantize import Quantization, Quantize
from sparsetool_converters.plan import Encode, Keep, Plan, make_plan
from sparsetool_converters.targets import LITERT, PORTABLE, Target, target_named
from sparsetool_converters.targets.lint import Finding, lint

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
    "target_named",
]
