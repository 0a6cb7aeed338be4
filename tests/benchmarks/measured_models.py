"""Models of a wanted size, written without ever being in memory as a whole."""

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Model

SIDE = 1600  # of a square weight: 10.24 MB of float32
DIFFERENT = 3  # weights; the layers take them in turn
WEIGHT_BYTES = 4 * SIDE * SIDE


def square_weight(number: int, zeros: float, block: int = 1) -> npt.NDArray[np.float32]:
    """A (SIDE, SIDE) weight with zeros in runs of `block`, of a size that keeps what RELU leaves near 1."""
    rng = np.random.default_rng(number)
    keep = np.repeat(rng.random((SIDE, SIDE // block)) >= zeros, block, axis=1)
    scale = np.float32(1 / np.sqrt(SIDE * (1 - zeros) / 2))
    return np.where(keep, rng.standard_normal((SIDE, SIDE), np.float32) * scale, np.float32(0))


def fully_connected(layers: int, *, zeros: float = 0.9, block: int = 1) -> Model:
    """Square float32 layers with RELU behind each; they share few arrays in memory, and none in the file."""
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
    weights = [square_weight(i, zeros, block).reshape(-1).view(np.uint8) for i in range(DIFFERENT)]
    layer_weights = [t for t in model.subgraphs[0].tensors if t.name.startswith("w")]
    for i, stored in enumerate(layer_weights):
        stored.buffer.data = weights[i % DIFFERENT]
    return model


def answer(layers: int, *, zeros: float) -> npt.NDArray[np.float32]:
    """What the model says to an input of ones, by numpy."""
    weights = [square_weight(i, zeros) for i in range(DIFFERENT)]
    values = np.ones(SIDE, np.float32)
    for i in range(layers):
        values = np.maximum(weights[i % DIFFERENT] @ values, 0)
    return values
