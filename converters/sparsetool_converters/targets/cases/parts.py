"""What models of one operator are put together from."""

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.targets.cases.graphs import Graph

INPUT_SCALE, INPUT_ZERO_POINT, OUTPUT_ZERO_POINT = 1 / 64, 3, -5  # of int8; int16 is symmetric
INT16_INPUT_SCALE = 1 / 16384
SIDE = 6  # height and width of images


class Parts:
    """What the operators below are put together from."""

    def __init__(
        self,
        graph: Graph,
        weight: npt.NDArray[Any],
        w: int,
        activation: str,
        scale: Any,
        fused: int,
        version: int,
        asymmetric: bool,
    ) -> None:
        self.graph, self.weight, self.w = graph, weight, w
        self.activation, self.scale, self.fused, self.version = activation, scale, fused, version
        self.hybrid = scale is not None and activation == "float32" and not graph.subgraph.operators
        self.asymmetric = self.hybrid and asymmetric

    def image(self) -> int:
        return self.input((1, SIDE, SIDE, self.weight.shape[-1]))

    def input(self, shape: tuple[int, ...], dtype: str | None = None) -> int:
        if dtype is None and self.activation == "int8":
            return self.graph.tensor("x", shape, "int8", scale=INPUT_SCALE, zero_point=INPUT_ZERO_POINT)
        if dtype is None and self.activation == "int16":
            return self.graph.tensor("x", shape, "int16", scale=INT16_INPUT_SCALE)
        return self.graph.tensor("x", shape, dtype or "float32")

    def output(self, shape: tuple[int, ...]) -> int:
        if self.activation == "float32":
            return self.graph.tensor("y", shape)
        # wide enough to saturate seldom
        widest = np.abs(self.weight.astype(np.int32)).reshape(self.weight.shape[0], -1).sum(axis=1).max()
        largest = float(np.max(self.scale)) * float(max(widest, 1))
        if self.activation == "int16":
            return self.graph.tensor("y", shape, "int16", scale=largest / 32767)
        return self.graph.tensor("y", shape, "int8", scale=largest / 127, zero_point=OUTPUT_ZERO_POINT)

    def bias(self, channels: int) -> int:
        values = np.linspace(-1, 1, channels)
        if self.activation != "float32":
            step = INPUT_SCALE if self.activation == "int8" else INT16_INPUT_SCALE
            scales = np.broadcast_to(np.asarray(self.scale) * step, (channels,))
            stored = np.rint(values / scales).astype(np.int32 if self.activation == "int8" else np.int64)
            return self.graph.constant("bias", stored, scale=scales if np.size(self.scale) > 1 else scales[0])
        return self.graph.constant("bias", values.astype(np.float32))

    def add(self, op: str, inputs: list[int], x: int, y: int, options: Any) -> None:
        self.graph.op(getattr(schema.BuiltinOperator, op), inputs, [y], options, version=self.version)
        self.graph.ends([x], [y])
