"""Models in which two operators read one weight.

So it is in language models whose embedding is their last layer, too, and in recurrent networks that are unrolled.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.sparsity import block_csr, csr
from sparsetool_converters.targets.cases.graphs import Graph, new_model, packed
from sparsetool_converters.targets.cases.operators import weight_for
from sparsetool_converters.targets.cases.storing import stored_sparse
from sparsetool_converters.targets.litert_limits import SPARSE_VERSION


def gather_and_fully_connected(dtype: str) -> tuple[bytes, bytes]:
    """The dense twin, and the model with the table behind one DENSIFY.

    Args:
        dtype: of the table: float32; float16, with one DEQUANTIZE for both operators; or int8.
    """
    table = weight_for("GATHER", dtype)
    model = new_model()
    graph = Graph(model)
    is_int8 = dtype == "int8"
    scale: Any = 1 / 128 if is_int8 else None
    w = graph.constant("weight", table, scale=scale)
    if dtype == "float16":
        w = graph.dequantized(w)
    rows, columns = table.shape
    ids, x = graph.tensor("ids", (3,), "int32"), graph.tensor("x", (1, columns))
    taken = graph.tensor("taken", (3, columns), dtype if is_int8 else "float32", scale=scale)
    y = graph.tensor("y", (1, rows))
    bias = graph.constant("bias", np.linspace(-1, 1, rows, dtype=np.float32))
    graph.op(schema.BuiltinOperator.GATHER, [w, ids], [taken], schema.GatherOptionsT())
    options = schema.FullyConnectedOptionsT(asymmetricQuantizeInputs=is_int8)
    version = SPARSE_VERSION if is_int8 else 1
    graph.op(schema.BuiltinOperator.FULLY_CONNECTED, [x, w, bias], [y], options, version=version)
    graph.ends([ids, x], [taken, y])
    dense = packed(model)
    return dense, stored_sparse(dense, csr(2), densify=True)


def two_fully_connected(dtype: str) -> tuple[bytes, bytes]:
    """The dense twin, and the model with the weight of two FULLY_CONNECTED behind one DENSIFY.

    Args:
        dtype: of the weight: float32; float16, with one DEQUANTIZE for both operators; or int8, with one for the
            second only.
    """
    weight = weight_for("FULLY_CONNECTED", dtype)
    model = new_model()
    graph = Graph(model)
    is_int8 = dtype == "int8"
    w = graph.constant("weight", weight, scale=1 / 128 if is_int8 else None)
    second = w if dtype == "float32" else graph.dequantized(w)
    first = w if is_int8 else second
    x = graph.tensor("x", (1, weight.shape[1]))
    outputs = [graph.tensor(name, (1, weight.shape[0])) for name in ("y0", "y1")]
    for w, y, hybrid in zip((first, second), outputs, (is_int8, False), strict=True):
        options = schema.FullyConnectedOptionsT(asymmetricQuantizeInputs=hybrid)
        version = SPARSE_VERSION if hybrid else 1
        graph.op(schema.BuiltinOperator.FULLY_CONNECTED, [x, w, -1], [y], options, version=version)
    graph.ends([x], outputs)
    dense = packed(model)
    return dense, stored_sparse(dense, csr(2), densify=True)


def two_native_fully_connected(dtype: str, activation: str) -> tuple[bytes, bytes]:
    """The dense twin, and the model in which two FULLY_CONNECTED in a row read one sparse weight natively.

    Args:
        dtype: of the weight, float32 in csr or int8 in blocks of 1x16.
        activation: float32 or int8.
    """
    side = 96
    is_int8, block = dtype == "int8", 16 if dtype == "int8" else 1
    weight = weight_for("FULLY_CONNECTED", dtype, shape=(side, side), block=block)
    model = new_model()
    graph = Graph(model)
    w = graph.constant("weight", weight, scale=1 / 1024 if is_int8 else None)
    scale = 1 / 32 if activation == "int8" else None
    states = [graph.tensor(name, (1, side), activation, scale=scale) for name in ("x", "h", "y")]
    hybrid = is_int8 and activation == "float32"
    for before, after in pairwise(states):
        options = schema.FullyConnectedOptionsT(asymmetricQuantizeInputs=hybrid)
        version = 4 if activation == "int8" else 12 if is_int8 else 1
        graph.op(schema.BuiltinOperator.FULLY_CONNECTED, [before, w, -1], [after], options, version=version)
    first, second = graph.subgraph.operators
    second.opcodeIndex = first.opcodeIndex  # so that both get the version for sparse weights
    graph.ends(states[:1], states[1:])
    dense = packed(model)
    return dense, stored_sparse(dense, block_csr((1, block)), densify=False, version=SPARSE_VERSION)
