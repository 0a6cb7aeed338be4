"""Small models, written with the schema's own object API, for the real interpreter."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, new_model, packed


class Models:
    """Writes models into a folder and returns their paths."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0

    def write(self, model: schema.ModelT) -> Path:
        self.count += 1
        path = self.folder / f"model_{self.count}.tflite"
        path.write_bytes(packed(model))
        return path

    def fully_connected(self, weight: np.ndarray, *, output: str = "scores") -> Path:
        """Float32: scores = weight @ x, for x of shape [1, columns]."""
        return self.write(self._fully_connected(weight, output))

    def blocks_of_four_rows(self, weight: np.ndarray) -> Path:
        """Float32 fully connected, its weight stored in blocks of 4x1, none left out.

        Right for the reference kernels. The optimized ones take any third level of size 4 for blocks of 1x4,
        and read a row of blocks for each row of the weight, four times as many as there are.
        """
        model = self._fully_connected(weight, "scores")
        rows, columns = weight.shape
        blocks = weight.astype(np.float32).reshape(rows // 4, 4, columns).transpose(0, 2, 1)
        model.buffers[1].data = np.frombuffer(blocks.tobytes(), np.uint8)
        outer, inner, within = (schema.DimensionMetadataT() for _ in range(3))
        outer.format, outer.denseSize = schema.DimensionType.DENSE, rows // 4
        within.format, within.denseSize = schema.DimensionType.DENSE, 4
        inner.format = schema.DimensionType.SPARSE_CSR
        inner.arraySegmentsType = inner.arrayIndicesType = schema.SparseIndexVector.Int32Vector
        inner.arraySegments, inner.arrayIndices = schema.Int32VectorT(), schema.Int32VectorT()
        inner.arraySegments.values = [row * columns for row in range(rows // 4 + 1)]
        inner.arrayIndices.values = list(range(columns)) * (rows // 4)
        sparsity = schema.SparsityParametersT()
        sparsity.traversalOrder, sparsity.blockMap = [0, 1, 2], [0]
        sparsity.dimMetadata = [outer, inner, within]
        model.subgraphs[0].tensors[1].sparsity = sparsity
        model.operatorCodes[0].version = 8
        return self.write(model)

    def quantized_fully_connected(self, weight: np.ndarray) -> Path:
        """Int8 all through: input step 1/64 around 3, weight step 1, output step 1/2 around -5."""
        model = new_model()
        graph = Graph(model)
        rows, columns = weight.shape
        x = graph.tensor("x", (1, columns), "int8", scale=1 / 64, zero_point=3)
        w = graph.tensor("w", weight.shape, "int8", data=weight.astype(np.int8), scale=1.0)
        y = graph.tensor("scores", (1, rows), "int8", scale=0.5, zero_point=-5)
        graph.op(
            schema.BuiltinOperator.FULLY_CONNECTED,
            [x, w, -1],
            [y],
            schema.FullyConnectedOptionsT(),
            version=4,
        )
        graph.ends([x], [y])
        return self.write(model)

    def difference(self, *, shape: Sequence[int] = (1, 2), signature: Sequence[int] | None = None) -> Path:
        """Two inputs of one shape: out = left - right."""
        model = new_model()
        graph = Graph(model)
        left, right = (graph.tensor(name, shape, signature=signature) for name in ("left", "right"))
        out = graph.tensor("out", shape, signature=signature)
        graph.op(schema.BuiltinOperator.SUB, [left, right], [out], schema.SubOptionsT())
        graph.ends([left, right], [out])
        return self.write(model)

    def running_sum(self) -> Path:
        """Keeps a state: out = x + out of the sample before."""
        model = new_model()
        graph = Graph(model)
        one = np.ones((1, 1), np.float32)
        x, w = graph.tensor("x", (1, 1)), graph.tensor("w", (1, 1), data=one)
        recurrent = graph.tensor("recurrent", (1, 1), data=one)
        bias = graph.tensor("bias", (1,), data=np.zeros(1, np.float32))
        state, out = graph.tensor("state", (1, 1), variable=True), graph.tensor("out", (1, 1))
        graph.op(schema.BuiltinOperator.RNN, [x, w, recurrent, bias, state], [out], schema.RNNOptionsT())
        graph.ends([x], [out])
        return self.write(model)

    def custom_op(self) -> Path:
        """An operator that no kernel set has."""
        model = new_model()
        graph = Graph(model)
        x, out = graph.tensor("x", (1, 4)), graph.tensor("out", (1, 4))
        graph.op(schema.BuiltinOperator.CUSTOM, [x], [out], custom=b"Unheard")
        graph.ends([x], [out])
        return self.write(model)

    def endless(self) -> Path:
        """A loop whose condition is x == x."""
        model = new_model()
        main, condition, body = Graph(model), Graph(model), Graph(model)
        x, out = main.tensor("x", (1,)), main.tensor("out", (1,))
        loop = schema.WhileOptionsT()
        loop.condSubgraphIndex, loop.bodySubgraphIndex = 1, 2
        main.op(schema.BuiltinOperator.WHILE, [x], [out], loop)
        main.ends([x], [out])
        x, always = condition.tensor("x", (1,)), condition.tensor("always", (1,), "bool")
        condition.op(schema.BuiltinOperator.EQUAL, [x, x], [always], schema.EqualOptionsT())
        condition.ends([x], [always])
        x, half = body.tensor("x", (1,)), body.tensor("half", (1,), data=np.full(1, 0.5, np.float32))
        out = body.tensor("out", (1,))
        body.op(schema.BuiltinOperator.MUL, [x, half], [out], schema.MulOptionsT())
        body.ends([x], [out])
        return self.write(model)

    def _fully_connected(self, weight: np.ndarray, output: str) -> schema.ModelT:
        model = new_model()
        graph = Graph(model)
        rows, columns = weight.shape
        x = graph.tensor("x", (1, columns))
        w = graph.tensor("w", weight.shape, data=weight.astype(np.float32))
        y = graph.tensor(output, (1, rows))
        graph.op(schema.BuiltinOperator.FULLY_CONNECTED, [x, w, -1], [y], schema.FullyConnectedOptionsT())
        graph.ends([x], [y])
        return model


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """A writer of models into a folder of the test's own."""
    folder = tmp_path / "models"
    folder.mkdir()
    return Models(folder)


@pytest.fixture
def weight() -> np.ndarray:
    """A float32 weight of small whole numbers, [4, 16]: sums of products with halves are exact."""
    return np.random.default_rng(7).integers(-4, 5, (4, 16)).astype(np.float32)
