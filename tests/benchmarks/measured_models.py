"""Models of a wanted size, written without ever being in memory as a whole."""

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Buffer, Model

SIDE = 1600  # of a square weight: 10.24 MB of float32
WEIGHT_BYTES = 4 * SIDE * SIDE


def square_weight(zeros: float, block: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """A (SIDE, SIDE) weight with zeros in runs of `block`, of a size that keeps sums near 1."""
    rng = np.random.default_rng(seed)
    keep = np.repeat(rng.random((SIDE, SIDE // block)) >= zeros, block, axis=1)
    scale = np.float32(1 / np.sqrt(SIDE * max(1 - zeros, 0.01)))
    return np.where(keep, rng.standard_normal((SIDE, SIDE), np.float32) * scale, np.float32(0))


def fully_connected(layers: int, *, zeros: float = 0.9, block: int = 1) -> Model:
    """Square float32 layers with RELU between them; all share one array in memory, and none in the file."""
    fields = schema.ModelT(version=3, operatorCodes=[], subgraphs=[], buffers=[schema.BufferT()])
    fields.operatorCodes = [schema.OperatorCodeT(builtinCode=9, deprecatedBuiltinCode=9, version=1)]
    graph = schema.SubGraphT(tensors=[], operators=[])
    fields.subgraphs = [graph]

    def tensor(name: str, shape: tuple[int, ...], buffer: int = 0) -> int:
        graph.tensors.append(schema.TensorT(name=name.encode(), shape=list(shape), buffer=buffer))
        return len(graph.tensors) - 1

    x = tensor("x", (1, SIDE))
    graph.inputs = [x]
    for i in range(layers):
        fields.buffers.append(schema.BufferT(data=np.zeros(4, np.uint8)))  # the payload comes below
        weight = tensor(f"w{i}", (SIDE, SIDE), len(fields.buffers) - 1)
        y = tensor(f"y{i}", (1, SIDE))
        options = schema.FullyConnectedOptionsT(fusedActivationFunction=1)
        graph.operators.append(
            schema.OperatorT(
                inputs=[x, weight, -1],
                outputs=[y],
                builtinOptionsType=schema.BuiltinOptions.FullyConnectedOptions,
                builtinOptions=options,
            )
        )
        x = y
    graph.outputs = [x]
    builder = flatbuffers.Builder(1024)
    builder.Finish(fields.Pack(builder), b"TFL3")
    model = Model.from_bytes(bytes(builder.Output()))
    payload = square_weight(zeros, block).reshape(-1).view(np.uint8)
    for tensor_ in model.subgraphs[0].tensors:
        if tensor_.name.startswith("w"):
            tensor_.buffer.data = payload
    return model
