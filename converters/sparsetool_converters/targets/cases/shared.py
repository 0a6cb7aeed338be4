"""Models in which two operators read one table, as in language models whose embedding is their last layer, too."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.sparsity import csr
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
