"""A .tflite file as objects that hold one another, and back."""

from sparsetool_converters.model.objects import (
    Buffer,
    Metadata,
    Model,
    Operator,
    OperatorCode,
    Signature,
    SignatureEntry,
    Subgraph,
    Tensor,
)

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
