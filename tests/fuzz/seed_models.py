"""Small files that between them have every table of the schema that is read here."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed, packed_outside, signature
from one_op_models import one_op, weight_for
from random_networks import grow

from sparsetool_converters.model import Model
from sparsetool_converters.model.sparsity_fields import write_sparsity
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.sparsity import encode
from sparsetool_converters.sparsity.format import BlockFormat, DimensionFormat, block_csr
from sparsetool_converters.targets import LITERT, TFLM, Target

DEEP = 150  # operators in a chain


def sparse(shape: tuple[int, ...], *, seed: int = 0) -> npt.NDArray[Any]:
    rng = np.random.default_rng(seed)
    return rng.random(shape) * (rng.random(shape) < 0.15)


def encoded(data: bytes, target: Target = LITERT) -> bytes:
    model = Model.from_bytes(data)
    plan = make_plan(model, target)
    assert plan.encoded()
    EncodeSparse(plan)(model)
    return model.to_bytes()


def sparse_layers() -> bytes:
    """Weights read natively and behind DENSIFY, signatures, metadata, quantization for each channel."""
    model = new_model()
    graph = Graph(model)
    x, h = graph.tensor("x", (1, 64)), graph.tensor("h", (1, 32))
    y = graph.tensor("y", (1, 32), signature=(-1, 32))
    w0 = graph.constant("w0", sparse((32, 64)).astype(np.float32))
    w1 = graph.constant("w1", (sparse((32, 32)) * 100).astype(np.int8), scale=np.linspace(1, 2, 32))
    graph.fully_connected(x, w0, -1, h)
    graph.fully_connected(h, graph.dequantized(w1), -1, y)
    graph.ends([x], [y])
    model.signatureDefs = [signature("main", {"x": x}, {"y": y})]
    model.buffers.append(schema.BufferT(data=np.frombuffer(b"1.2.3", np.uint8)))
    model.metadata = [schema.MetadataT(name=b"min_runtime_version", buffer=len(model.buffers) - 1)]
    model.metadataBuffer = [len(model.buffers) - 1]
    model.description = b"a model"
    return encoded(packed(model))


def sparse_in_many_levels() -> bytes:
    """Compressed levels one below the other, blocks in two dimensions, values of 4 bits."""
    model = new_model()
    graph = Graph(model)
    outputs = []
    for name in ("w4", "wf", "wb"):
        weight = graph.tensor(name, (8, 16), "int4" if name == "w4" else "float32", data=np.ones(1, np.uint8))
        outputs.append(graph.tensor(f"{name}/dense", (8, 16), "int4" if name == "w4" else "float32"))
        graph.op(schema.BuiltinOperator.DENSIFY, [weight], [outputs[-1]], schema.DensifyOptionsT())
    graph.ends([], outputs)
    read = Model.from_bytes(packed(model))
    compressed = (DimensionFormat.SPARSE_CSR,) * 2
    layouts = {
        "w4": BlockFormat(traversal_order=(1, 0), formats=compressed),
        "wf": BlockFormat(
            traversal_order=(1, 0, 2, 3),
            formats=(*compressed, DimensionFormat.DENSE, DimensionFormat.DENSE),
            block_map=(0, 1),
            block_shape=(2, 4),
        ),
        "wb": block_csr((4, 4)),
    }
    for tensor in read.subgraphs[0].tensors:
        if tensor.name in layouts:
            values = np.rint(sparse((8, 16)) * 7).astype(np.int8 if tensor.name == "w4" else np.float32)
            write_sparsity(tensor, encode(values, layouts[tensor.name]))
    return read.to_bytes()


def everything_else() -> bytes:
    """Two subgraphs, control flow, a variable, custom options in and behind the file, blockwise quantization."""
    model = new_model()
    for g in range(2):
        graph = Graph(model)
        x, y = graph.tensor(f"x{g}", (1, 16), signature=(-1, 16)), graph.tensor(f"y{g}", (1, 8))
        graph.tensor("state", (1, 1), variable=True)
        weight = graph.constant(f"w{g}", sparse((8, 16)).astype(np.float32))
        scales = graph.constant("scales", np.ones((4, 4), np.float16))
        details = schema.BlockwiseQuantizationT(scales=scales, zeroPoints=scales, blockSize=4)
        graph.subgraph.tensors[weight].quantization = schema.QuantizationParametersT(
            details=details, detailsType=schema.QuantizationDetails.BlockwiseQuantization
        )
        graph.fully_connected(x, weight, -1, y)
        condition = graph.constant("condition", np.array([True]))
        graph.op(
            schema.BuiltinOperator.IF, [condition, x], [y], schema.IfOptionsT(thenSubgraphIndex=1, elseSubgraphIndex=1)
        )
        graph.op(schema.BuiltinOperator.CUSTOM, [x], [y], custom=b"Unheard")
        graph.subgraph.operators[-1].customOptions = np.arange(20, dtype=np.uint8)
        graph.op(schema.BuiltinOperator.CUSTOM, [x], [y], custom=b"Unheard")
        behind = graph.subgraph.operators[-1]
        behind.largeCustomOptionsOffset, behind.largeCustomOptionsSize = 16, 40
        graph.ends([x], [y])
        graph.subgraph.name = f"graph {g}".encode()
    model.signatureDefs = [signature("a", {"in": 0}, {"out": 1}, subgraph=1), signature("b", {"in": 0}, {"out": 1})]
    return packed_outside(model)


def chain_of_operators(length: int = DEEP) -> bytes:
    """Constants unpacked by one operator behind the other, and the same backwards."""
    model = new_model()
    graph = Graph(model)
    at = graph.constant("w", sparse((4, 4)).astype(np.float32))
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    for i in range(length):
        made = graph.tensor(f"t{i}", (4, 4))
        graph.op((schema.BuiltinOperator.DEQUANTIZE, schema.BuiltinOperator.DENSIFY)[i % 2], [at], [made])
        at = made
    graph.fully_connected(x, at, -1, y)
    graph.subgraph.operators.reverse()
    graph.ends([x], [y])
    return packed(model)


def chain_of_subgraphs(length: int = DEEP // 4) -> bytes:
    """Each subgraph calls the next one, and the last calls the first."""
    model = new_model()
    for i in range(length):
        graph = Graph(model)
        condition = graph.tensor("c", (1,), "bool")
        options = schema.WhileOptionsT(condSubgraphIndex=i, bodySubgraphIndex=(i + 1) % length)
        graph.op(schema.BuiltinOperator.WHILE, [condition], [condition], options)
        graph.ends([condition], [condition])
    return packed(model)


def dead_channels(*, int8: bool) -> bytes:
    """Layers of all kinds, many of whose channels are known or not read."""
    steps = ("depthwise", "branch", "ADD", "concatenation", "pad", "prelu", "MAX_POOL_2D", "mean", "flatten", "layer")
    return grow(7, steps, int8=int8)[0]


SEED_MODELS: dict[str, Callable[[], bytes]] = {
    "dense layers": lambda: mlp([sparse((8, 16)), sparse((4, 8))], [np.ones(8), None]),
    "sparse layers": sparse_layers,
    "sparse in many levels": sparse_in_many_levels,
    "sparse convolution": lambda: encoded(
        one_op("CONV_2D", weight_for("CONV_2D", "float16", shape=(16, 3, 3, 8)), dequantized=True)
    ),
    "sparse int8": lambda: encoded(
        one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", block=16), "int8", per_channel=False)
    ),
    "decoded int8": lambda: encoded(one_op("CONV_2D", weight_for("CONV_2D", "int8"), "int8"), TFLM),
    "decoded float": lambda: encoded(mlp([sparse((32, 64)), sparse((48, 32))], [np.ones(32), None]), TFLM),
    "dead channels": lambda: dead_channels(int8=False),
    "dead channels of int8": lambda: dead_channels(int8=True),
    "everything else": everything_else,
    "chain of operators": chain_of_operators,
    "chain of subgraphs": chain_of_subgraphs,
}
