"""A .tflite file as objects that hold one another, and back."""

from sparsetool_converters.model.objects import (
    Metadata,
    Model,
    Operator,
    OperatorCode,
    Signature,
    SignatureEntry,
    Subgraph,
)
from sparsetool_converters.model.tensors import Buffer, Tensor

__all__ = [
    "Buffer",
    "Metadata",
    "Model",
    "Operator",
    "OperatorCode",
    "Signature",
    "SignatureEntry",
    "Subgraph",
    "Tensor",
]
