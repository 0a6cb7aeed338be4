"""What a target may get wrong is known before it is run."""

from collections.abc import Callable

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from kernel_sets import assert_alike, difference, isolated_runs, reference_outputs
from models_in_memory import mlp
from one_op_models import one_op, weight_for

from sparsetool.verify import FinishedRun
from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.model.sparsity_fields import write_sparsity
from sparsetool_converters.passes import Densify, EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.sparsity import BlockFormat, block_csr, csr, encode
from sparsetool_converters.targets import LITERT, PORTABLE, Target
from sparsetool_converters.targets.lint import lint_errors

NO_SPARSE = PORTABLE


def read_sparse(data: bytes, block_format: BlockFormat, version: int | None = 8) -> bytes:
    """The same model, its operator fed a sparse weight, at this version."""
    model = Model.from_bytes(data)
    weight = next(t for t in model.subgraphs[0].tensors if t.name == "weight")
    write_sparsity(weight, encode(weight.array(), block_format))
    operator = model.subgraphs[0].operators[-1]
    operator.code = model.operator_code(operator.code.builtin, version or operator.code.version)
    return model.to_bytes()


def behind_densify(data: bytes, edit: Callable[[Model, Tensor], None] | None = None) -> bytes:
    """The same model, its weight behind a DENSIFY that nobody asked whether it may be there."""
    model = Model.from_bytes(data)
    graph = model.subgraphs[0]
    weight = next(t for t in graph.tensors if t.name == "weight")
    stored = Tensor(schema.TensorT(**{**vars(weight.fields), "name": b"stored"}), weight.buffer)
    write_sparsity(stored, encode(weight.array(), csr(len(weight.shape))))
    weight.buffer = model.buffers[0]
    graph.tensors.append(stored)
    first = graph.operators[0]
    options = schema.DensifyOptionsT()
    fields = schema.OperatorT(builtinOptionsType=schema.BuiltinOptions.DensifyOptions, builtinOptions=options)
    code = model.operator_code(schema.BuiltinOperator.DENSIFY, 1)
    graph.operators.insert(0, type(first)(fields, code, [stored], [weight]))
    if edit is not None:
        edit(model, weight)
    return model.to_bytes()


def through_dequantize() -> bytes:
    """Sparse float16 that DEQUANTIZE reads without a DENSIFY before it."""
    model = Model.from_bytes(one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "float16"), dequantized=True))
    weight = next(t for t in model.subgraphs[0].tensors if t.name == "weight")
    write_sparsity(weight, encode(weight.array(), csr(2)))
    return model.to_bytes()


def doubts(data: bytes, target: Target = LITERT) -> tuple[str, ...]:
    return tuple(str(finding) for finding in lint_errors(Model.from_bytes(data), target))


FLOAT = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "float32"))
HYBRID = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", block=16))
INT8 = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", block=16), "int8")
CONV = one_op("CONV_2D", weight_for("CONV_2D", "float32"))

RIGHT = {
    "dense": FLOAT,
    "float csr": read_sparse(FLOAT, csr(2)),
    "float 1x4": read_sparse(FLOAT, block_csr((1, 4))),
    "hybrid 1x16": read_sparse(HYBRID, block_csr((1, 16))),
    "int8 1x16": read_sparse(INT8, block_csr((1, 16))),
    "float behind DENSIFY": behind_densify(FLOAT),
    "convolution behind DENSIFY": behind_densify(CONV),
}
WRONG = {
    "version 1": read_sparse(FLOAT, csr(2), 1),
    "version 12": read_sparse(HYBRID, block_csr((1, 16)), 12),
    "float 1x16": read_sparse(FLOAT, block_csr((1, 16))),
    "hybrid 1x4": read_sparse(HYBRID, block_csr((1, 4))),
    "int8 csr": read_sparse(INT8, csr(2)),
    "convolution": read_sparse(CONV, csr(4), 1),
    "float16 read by DEQUANTIZE": through_dequantize(),
    "hybrid convolution behind DENSIFY": behind_densify(one_op("CONV_2D", weight_for("CONV_2D", "int8"))),
    "int8 of version 4 behind DENSIFY": behind_densify(INT8),
    "output of DENSIFY": behind_densify(CONV, lambda model, weight: model.subgraphs[0].outputs.append(weight)),
}


def with_its_weight_as_output(data: bytes) -> bytes:
    model = Model.from_bytes(data)
    model.subgraphs[0].outputs.append(next(t for t in model.subgraphs[0].tensors if t.name == "weight"))
    return model.to_bytes()


DENSE_TWINS = {
    "version 1": FLOAT,
    "version 12": HYBRID,
    "hybrid 1x4": HYBRID,
    "convolution": CONV,
    "float16 read by DEQUANTIZE": one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "float16"), dequantized=True),
    "output of DENSIFY": with_its_weight_as_output(CONV),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_the_table_allows_is_not_doubted(name: str) -> None:
    assert doubts(RIGHT[name]) == ()


@pytest.mark.parametrize("name", WRONG)
def test_what_the_runtime_gets_wrong_is_doubted(name: str) -> None:
    found = doubts(WRONG[name])
    assert found
    assert not any("\n" in doubt for doubt in found)


@pytest.mark.parametrize("name", [*DENSE_TWINS])
def test_the_doubt_is_justified(name: str) -> None:
    """Some kernel set fails, crashes or answers otherwise than the dense model."""
    runs, wrong = isolated_runs(WRONG[name]), []
    for kernel_set, expected in reference_outputs(DENSE_TWINS[name]).items():
        run = runs[kernel_set]
        if not isinstance(run, FinishedRun):
            wrong.append(kernel_set)
            continue
        pairs = zip(expected, (output.values for output in run.outputs), strict=True)
        wrong += [kernel_set for a, b in pairs if difference(a, b) > 1000]
    assert wrong


@pytest.mark.parametrize("name", DENSE_TWINS)
def test_densify_mends_it(name: str) -> None:
    model = Model.from_bytes(WRONG[name])
    Densify()(model)
    assert doubts(model.to_bytes()) == ()
    assert_alike(DENSE_TWINS[name], model.to_bytes())


def test_a_target_without_sparse_encodings_doubts_them_all() -> None:
    for name, data in RIGHT.items():
        assert bool(doubts(data, NO_SPARSE)) == (name != "dense")


def test_what_the_planner_makes_is_never_doubted() -> None:
    layers = [weight_for("", "float32", shape=(48, 48), seed=i, block=4) for i in range(3)]
    dtypes = {"float16": True, "float32": False}
    convolutions = [one_op("CONV_2D", weight_for("CONV_2D", d), dequantized=through) for d, through in dtypes.items()]
    random = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8"))
    for data in (mlp(layers), FLOAT, HYBRID, INT8, random, *convolutions):
        model = Model.from_bytes(data)
        EncodeSparse(make_plan(model, LITERT))(model)
        assert any(t.is_sparse for t in model.subgraphs[0].tensors)
        assert doubts(model.to_bytes()) == ()


def test_a_ledger_that_overflows_is_doubted() -> None:
    weight = np.ones((8, 4112), np.int8)
    data = read_sparse(one_op("FULLY_CONNECTED", weight), block_csr((1, 16)))
    assert doubts(data)
