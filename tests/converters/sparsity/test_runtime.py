"""What the interpreter makes of an encoded constant: DENSIFY on every kernel set."""

from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from sparsetool_converters.sparsity import BlockFormat, DimensionFormat, EncodedTensor, block_csr, csr, encode

DENSE, CSR = DimensionFormat.DENSE, DimensionFormat.SPARSE_CSR
RESOLVERS = (
    OpResolverType.AUTO,
    OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    OpResolverType.BUILTIN_REF,
)
LAYOUTS = [
    ((24, 320), csr(2)),
    ((24, 320), block_csr((1, 16))),
    ((24, 320), block_csr((4, 1))),
    ((24, 320), block_csr((4, 4))),
    ((8, 3, 3, 16), csr(4)),
    ((8, 3, 3, 16), block_csr((2, 4), rank=4)),
    ((24, 320), BlockFormat(traversal_order=(1, 0), formats=(CSR, CSR))),
    (
        (24, 320),
        BlockFormat(
            traversal_order=(1, 0, 3, 2),
            formats=(DENSE, CSR, DENSE, DENSE),
            block_map=(0, 1),
            block_shape=(2, 5),
        ),
    ),
]


def vector(values: npt.NDArray[np.integer]) -> tuple[int, Any]:
    kinds: dict[np.dtype[Any], tuple[int, Any]] = {
        np.dtype(np.int32): (schema.SparseIndexVector.Int32Vector, schema.Int32VectorT()),
        np.dtype(np.uint16): (schema.SparseIndexVector.Uint16Vector, schema.Uint16VectorT()),
        np.dtype(np.uint8): (schema.SparseIndexVector.Uint8Vector, schema.Uint8VectorT()),
    }
    number, table = kinds[values.dtype]
    table.values = values
    return number, table


def sparsity_parameters(encoded: EncodedTensor) -> Any:
    table = schema.SparsityParametersT()
    table.traversalOrder = list(encoded.block_format.traversal_order)
    table.blockMap = list(encoded.block_format.block_map) or None
    table.dimMetadata = []
    for level in encoded.levels:
        metadata = schema.DimensionMetadataT()
        metadata.format, metadata.denseSize = int(level.format), level.dense_size
        if level.segments is not None and level.indices is not None:
            metadata.arraySegmentsType, metadata.arraySegments = vector(level.segments)
            metadata.arrayIndicesType, metadata.arrayIndices = vector(level.indices)
        table.dimMetadata.append(metadata)
    return table


def tensor(name: str, shape: tuple[int, ...], dtype: str, buffer: int = 0, sparsity: Any = None) -> Any:
    record = schema.TensorT()
    record.name, record.shape, record.buffer, record.sparsity = name, list(shape), buffer, sparsity
    record.type = {"float32": 0, "float16": 1, "int8": 9}[dtype]
    if dtype == "int8":
        record.quantization = schema.QuantizationParametersT()
        record.quantization.scale, record.quantization.zeroPoint = [1.0], [0]
    return record


def operator(opcode_index: int, inputs: list[int], outputs: list[int]) -> Any:
    record = schema.OperatorT()
    record.opcodeIndex, record.inputs, record.outputs = opcode_index, inputs, outputs
    return record


def operator_code(builtin: int) -> Any:
    record = schema.OperatorCodeT()
    record.builtinCode = record.deprecatedBuiltinCode = builtin
    record.version = 2 if builtin == schema.BuiltinOperator.DEQUANTIZE else 1
    return record


def densify_model(encoded: EncodedTensor) -> bytes:
    """A model that adds its float32 input to a constant: encoded -> DENSIFY (-> DEQUANTIZE) -> ADD."""
    dtype = str(encoded.values.dtype)
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("input", encoded.shape, "float32"),
        tensor("encoded", encoded.shape, dtype, 1, sparsity_parameters(encoded)),
        tensor("dense", encoded.shape, dtype),
        tensor("float", encoded.shape, "float32"),
        tensor("sum", encoded.shape, "float32"),
    ]
    if dtype == "float32":
        graph.operators = [operator(0, [1], [3]), operator(2, [0, 3], [4])]
    else:
        graph.operators = [operator(0, [1], [2]), operator(1, [2], [3]), operator(2, [0, 3], [4])]
    graph.operators[-1].builtinOptionsType = schema.BuiltinOptions.AddOptions
    graph.operators[-1].builtinOptions = schema.AddOptionsT()
    graph.inputs, graph.outputs = [0], [4]
    constant = schema.BufferT()
    constant.data = np.frombuffer(encoded.values.tobytes(), np.uint8)
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT(), constant]
    kinds = schema.BuiltinOperator
    model.operatorCodes = [operator_code(kind) for kind in (kinds.DENSIFY, kinds.DEQUANTIZE, kinds.ADD)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("zeros", [0.95, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8])
@pytest.mark.parametrize(("shape", "layout"), LAYOUTS)
def test_densify_gives_the_array_back_on_every_kernel_set(
    shape: tuple[int, ...], layout: BlockFormat, dtype: type[np.generic], zeros: float
) -> None:
    rng = np.random.default_rng(3)
    array = rng.integers(-100, 100, shape).astype(dtype)
    array[rng.random(shape) < zeros] = 0
    model = densify_model(encode(array, layout))
    ones = np.ones(shape, np.float32)
    for resolver in RESOLVERS:
        interpreter = Interpreter(model_content=model, experimental_op_resolver_type=resolver)
        interpreter.allocate_tensors()
        interpreter.set_tensor(0, ones)
        interpreter.invoke()
        dense = interpreter.get_tensor(4) - ones
        assert np.array_equal(dense, array), (resolver, np.argwhere(dense != array)[:1])
