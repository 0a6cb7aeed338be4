"""Small models, written with the schema's own object API and nothing of this package."""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "int16": schema.TensorType.INT16,
    "int8": schema.TensorType.INT8,
    "int4": schema.TensorType.INT4,
    "bool": schema.TensorType.BOOL,
    "bytes": schema.TensorType.STRING,
}


def new_model() -> Any:
    """A model without subgraphs; its first buffer is the empty one, as the schema wants it."""
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [], []
    model.buffers = [schema.BufferT()]
    return model


def packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class Graph:
    """One subgraph under construction, in a model it may share with others."""

    def __init__(self, model: Any) -> None:
        self.model, self.subgraph = model, schema.SubGraphT()
        self.subgraph.tensors, self.subgraph.operators = [], []
        model.subgraphs.append(self.subgraph)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        *,
        data: npt.NDArray[Any] | None = None,
        scale: float | npt.ArrayLike | None = None,
        zero_point: int = 0,
        axis: int = 0,
        signature: Sequence[int] | None = None,
        variable: bool = False,
    ) -> int:
        """Returns the tensor's index; a scale for each slice goes along `axis`."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name.encode(), list(shape), TYPES[dtype]
        tensor.shapeSignature = None if signature is None else list(signature)
        tensor.isVariable = variable
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales
            tensor.quantization.zeroPoint = np.full(scales.shape, zero_point, np.int64)
            tensor.quantization.quantizedDimension = axis
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.subgraph.tensors.append(tensor)
        return len(self.subgraph.tensors) - 1

    def constant(self, name: str, data: npt.NDArray[Any], **more: Any) -> int:
        """A tensor of the array's own shape and type."""
        return self.tensor(name, data.shape, data.dtype.name, data=data, **more)

    def op(
        self,
        builtin: int,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: object = None,
        *,
        version: int = 1,
        custom: bytes | None = None,
    ) -> None:
        """An operator with a code of its own."""
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), version
        code.customCode = custom
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.subgraph.operators.append(operator)

    def fully_connected(
        self, x: int, weight: int, bias: int, y: int, *, activation: int = 0, version: int = 1, shuffled: bool = False
    ) -> None:
        options = schema.FullyConnectedOptionsT(fusedActivationFunction=activation, weightsFormat=int(shuffled))
        self.op(schema.BuiltinOperator.FULLY_CONNECTED, [x, weight, bias], [y], options, version=version)

    def dequantized(self, constant: int) -> int:
        """What DEQUANTIZE makes of a constant."""
        source = self.subgraph.tensors[constant]
        made = self.tensor(f"{source.name.decode()}/float", source.shape)
        self.op(schema.BuiltinOperator.DEQUANTIZE, [constant], [made], version=3)
        return made

    def ends(self, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        self.subgraph.inputs, self.subgraph.outputs = list(inputs), list(outputs)
