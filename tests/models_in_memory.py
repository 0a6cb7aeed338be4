"""Small models, written with the schema's own object API, for the real interpreter."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.targets.cases.graphs import TYPES, Graph, new_model, packed

__all__ = ["TYPES", "Graph", "mlp", "new_model", "packed", "packed_outside", "signature"]


def signature(key: str, inputs: dict[str, int], outputs: dict[str, int], subgraph: int = 0) -> Any:
    """A signature that gives these names to tensors of a subgraph."""

    def entries(names: dict[str, int]) -> list[Any]:
        return [schema.TensorMapT(name=name.encode(), tensorIndex=index) for name, index in names.items()]

    return schema.SignatureDefT(
        signatureKey=key.encode(), subgraphIndex=subgraph, inputs=entries(inputs), outputs=entries(outputs)
    )


def mlp(
    weights: Sequence[npt.NDArray[Any]], biases: Sequence[npt.NDArray[Any] | None] | None = None, *, batch: int = 1
) -> bytes:
    """Float32 layers [out, in] with RELU between them: input "x", weights "w0", ..., biases "b0", ..., last "y"."""
    model = new_model()
    graph = Graph(model)
    x = first = graph.tensor("x", (batch, weights[0].shape[1]))
    for i, weight in enumerate(weights):
        last = i == len(weights) - 1
        w = graph.constant(f"w{i}", weight.astype(np.float32))
        bias = None if biases is None else biases[i]
        b = -1 if bias is None else graph.constant(f"b{i}", bias.astype(np.float32))
        y = graph.tensor("y" if last else f"h{i}", (batch, weight.shape[0]))
        graph.fully_connected(x, w, b, y, activation=0 if last else 1)
        x = y
    graph.ends([first], [x])
    return packed(model)


def packed_outside(model: Any) -> bytes:
    """The same file with every payload behind the flatbuffer, as writers of large models lay it out."""
    payloads = [(b, b.data) for b in model.buffers if b.data is not None]
    for buffer, data in payloads:
        buffer.data, buffer.offset, buffer.size = None, 2**40, len(data)
    at = size = -len(packed(model)) % 16 + len(packed(model))
    for buffer, data in payloads:
        buffer.offset, at = at, at + len(data) + -len(data) % 16
    flatbuffer = packed(model)
    assert size - 16 < len(flatbuffer) <= size  # numbers of one width: nothing has moved
    for buffer, data in payloads:
        flatbuffer = flatbuffer.ljust(buffer.offset, b"\0") + bytes(data)
        buffer.data, buffer.offset, buffer.size = data, 0, 0
    return flatbuffer
