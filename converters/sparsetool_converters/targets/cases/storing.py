"""Store a weight of a dense model sparse, in whatever way is asked for, be it right or wrong.

Written apart from the passes that do so for users: a table is not to be checked by what was made from it.
"""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sparsetool_converters.model import Buffer, Model, Operator, Tensor
from sparsetool_converters.model.sparsity_fields import write_sparsity
from sparsetool_converters.sparsity import BlockFormat, encode

WEIGHT = "weight"


def stored_sparse(
    dense: bytes, layout: BlockFormat, *, densify: bool, version: int | None = None, names: tuple[str, ...] = (WEIGHT,)
) -> bytes:
    """The model with constants in this layout, given to their readers as they are or behind DENSIFY.

    Args:
        dense: a model whose constants are stored dense.
        layout: how the constants are laid out.
        densify: whether DENSIFY unpacks them.
        version: what the last operator's version becomes; None leaves it.
        names: the constants.
    """
    model = Model.from_bytes(dense)
    graph = model.subgraphs[0]
    if version is not None:
        graph.operators[-1].code.fields.version = version
    for name in names:
        (tensor,) = (t for t in graph.tensors if t.name == name)
        encoded = encode(tensor.array(), layout)
        write_sparsity(behind_densify(model, tensor) if densify else tensor, encoded)
    return model.to_bytes()


def behind_densify(model: Model, tensor: Tensor) -> Tensor:
    """Make a constant of the first subgraph the output of a DENSIFY; returns what DENSIFY reads, as yet dense."""
    graph = model.subgraphs[0]
    fields = schema.TensorT()
    vars(fields).update(vars(tensor.fields))
    fields.name = f"{tensor.name}/stored"
    stored = Tensor(fields, tensor.buffer)
    tensor.buffer = Buffer()
    graph.tensors.append(stored)
    options = schema.OperatorT(
        builtinOptionsType=schema.BuiltinOptions.DensifyOptions, builtinOptions=schema.DensifyOptionsT()
    )
    code = model.operator_code(schema.BuiltinOperator.DENSIFY, 1)
    graph.operators.insert(0, Operator(options, code, [stored], [tensor]))
    return stored


def stored_for_decode(dense: bytes, names: tuple[str, ...] = (WEIGHT,)) -> bytes:
    """The model with symmetric constants of the first subgraph made by TFLM_DECODE, each right before its one reader.

    Args:
        dense: a model whose constants are stored dense.
        names: the constants.
    """
    model = Model.from_bytes(dense)
    graph = model.subgraphs[0]
    for name in names:
        (tensor,) = (t for t in graph.tensors if t.name == name)
        array = tensor.array().reshape(-1)
        header = bytes((2, 1, 0, 0, 1)).ljust(16, b"\0")
        payloads = (np.packbits(array != 0).tobytes(), header + array[array != 0].tobytes())
        parts = [_bytes_tensor(f"{name}/{i}", payload) for i, payload in enumerate(payloads)]
        graph.tensors += parts
        tensor.buffer = Buffer()
        reader = next(i for i, operator in enumerate(graph.operators) if tensor in operator.inputs)
        graph.operators.insert(
            reader, Operator(schema.OperatorT(), model.custom_code("TFLM_DECODE"), [*parts], [tensor])
        )
    return model.to_bytes()


def _bytes_tensor(name: str, payload: bytes) -> Tensor:
    fields = schema.TensorT(name=name, type=schema.TensorType.UINT8, shape=np.array([len(payload)], np.int32))
    return Tensor(fields, Buffer(np.frombuffer(payload, np.uint8)))
