"""A model file as plain values, for comparing two files field by field."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema


def tree(data: bytes) -> Any:
    """Every field of every table, with payloads that lie behind the flatbuffer put where they belong."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            if operator.largeCustomOptionsOffset > 1:
                at, size = operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize
                operator.customOptions = np.frombuffer(data, np.uint8, size, at)
                operator.largeCustomOptionsOffset = operator.largeCustomOptionsSize = 0
    return plain(model)


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tobytes()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "__dict__"):
        return {name: plain(field) for name, field in vars(value).items()}
    return value
