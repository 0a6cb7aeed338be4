"""What the lint finds where, in files of any origin."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed
from one_op_models import one_op, weight_for

from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.sparsity import block_csr, csr
from sparsetool_converters.targets import LITERT, Severity
from sparsetool_converters.targets.cases.storing import behind_densify, stored_sparse
from sparsetool_converters.targets.lint import UNKNOWN, Finding, lint

FC = "FULLY_CONNECTED"
NATIVE = stored_sparse(one_op(FC, weight_for(FC, "float32")), csr(2), densify=False, version=8)
BLOCKS = stored_sparse(one_op(FC, weight_for(FC, "float32", block=4)), block_csr((1, 4)), densify=False, version=8)


def found(data: bytes) -> tuple[Finding, ...]:
    return lint(Model.from_bytes(data), LITERT)


def damaged(data: bytes, damage: object) -> tuple[Finding, ...]:
    model = Model.from_bytes(data)
    (tensor,) = (t for t in model.subgraphs[0].tensors if t.is_sparse)
    damage(tensor)  # type: ignore[operator]
    return lint(model, LITERT)


def test_dense_models_have_no_findings() -> None:
    assert found(mlp([np.eye(4)])) == ()


def test_right_sparse_models_have_no_findings() -> None:
    assert found(NATIVE) == found(BLOCKS) == ()


def test_finding_says_where_what_and_the_way_out() -> None:
    (finding,) = found(stored_sparse(one_op(FC, weight_for(FC, "float32")), csr(2), densify=False))
    assert (finding.severity, finding.name) == (Severity.ERROR, "sparse-version")
    assert (finding.subgraph, finding.operator, finding.op, finding.tensor) == (0, 0, FC, "weight")
    assert str(finding) == (
        "weight in FULLY_CONNECTED (subgraph 0, operator 0): XNNPACK reads sparse weights as dense unless the "
        "operator's version is 8 [garbage on default; right on no-delegates, reference]; give the operator a code of "
        "its own with version 8"
    )
    assert "xnnpack_delegate.cc" in finding.source


def test_all_that_is_wrong_with_one_weight_is_told() -> None:
    dense = one_op(FC, weight_for(FC, "int8"))
    findings = found(stored_sparse(dense, block_csr((1, 4)), densify=False))
    assert {finding.name for finding in findings} == {"sparse-version", "hybrid-block"}


def no_order(tensor: Tensor) -> None:
    tensor.fields.sparsity.traversalOrder = None


def no_metadata(tensor: Tensor) -> None:
    tensor.fields.sparsity.dimMetadata = []


def no_segments(tensor: Tensor) -> None:
    tensor.fields.sparsity.dimMetadata[1].arraySegments = None


def index_outside(tensor: Tensor) -> None:
    vector = tensor.fields.sparsity.dimMetadata[1].arrayIndices
    vector.values = np.array(vector.values)
    vector.values[0] = 255


def falling_segments(tensor: Tensor) -> None:
    vector = tensor.fields.sparsity.dimMetadata[1].arraySegments
    vector.values = np.array(vector.values)[::-1].copy()


def fewer_values(tensor: Tensor) -> None:
    assert tensor.buffer.data is not None
    tensor.buffer.data = tensor.buffer.data[:-16]


def no_values(tensor: Tensor) -> None:
    tensor.buffer.data = None


def cut_inside_an_element(tensor: Tensor) -> None:
    assert tensor.buffer.data is not None
    tensor.buffer.data = tensor.buffer.data[:-1]


def shape_that_the_block_does_not_divide(tensor: Tensor) -> None:
    tensor.shape = (48, 94)


def block_of_nothing(tensor: Tensor) -> None:
    tensor.fields.sparsity.dimMetadata[2].denseSize = 0


def other_rank(tensor: Tensor) -> None:
    tensor.shape = (2, 24, 96)


DAMAGES = [
    no_order,
    no_metadata,
    no_segments,
    index_outside,
    falling_segments,
    fewer_values,
    no_values,
    cut_inside_an_element,
    shape_that_the_block_does_not_divide,
    block_of_nothing,
    other_rank,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_malformed_metadata_are_a_finding(damage: object) -> None:
    (finding,) = damaged(BLOCKS, damage)
    assert (finding.severity, finding.name) == (Severity.ERROR, "malformed")
    assert finding.effect.startswith("the runtime trusts these metadata")
    assert len(finding.effect) > 80  # with the rule that is broken


def test_block_that_does_not_divide_the_shape_is_named_with_the_rule() -> None:
    (finding,) = damaged(BLOCKS, shape_that_the_block_does_not_divide)
    assert "94 elements of dimension 1 are not a multiple of block size 4" in finding.effect


def test_malformed_metadata_that_nobody_reads_are_a_finding_and_others_are_not() -> None:
    model = Model.from_bytes(BLOCKS)
    graph = model.subgraphs[0]
    graph.operators.clear()
    assert lint(model, LITERT) == ()
    no_metadata(next(t for t in graph.tensors if t.is_sparse))
    (finding,) = lint(model, LITERT)
    assert (finding.name, finding.op, finding.operator) == ("malformed", "no operator", None)


def sum_with_constant(*, densify: bool) -> bytes:
    """An operator of which the table knows nothing, reading a sparse constant."""
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (48, 96)), graph.tensor("y", (48, 96))
    w = graph.constant("weight", weight_for(FC, "float32"))
    graph.op(schema.BuiltinOperator.ADD, [x, w], [y], schema.AddOptionsT())
    graph.ends([x], [y])
    return stored_sparse(packed(model), csr(2), densify=densify)


@pytest.mark.parametrize("densify", [False, True])
def test_use_of_which_the_table_is_silent_is_an_error(densify: bool) -> None:
    (finding,) = found(sum_with_constant(densify=densify))
    assert (finding.severity, finding.name) == (Severity.ERROR, UNKNOWN)
    assert finding.effect.startswith("nothing is known to run ADD input 1 with FLOAT32 weights")


def test_sparse_bias_is_no_weight() -> None:
    dense = one_op(FC, weight_for(FC, "float32"))
    model = Model.from_bytes(dense)
    (bias,) = (t for t in model.subgraphs[0].tensors if t.name == "bias")
    sparse = stored_sparse(dense, csr(2), densify=True)
    assert found(sparse) == ()
    model = Model.from_bytes(sparse)
    (bias,) = (t for t in model.subgraphs[0].tensors if t.name == "bias")
    behind_densify(model, bias)
    (finding,) = lint(model, LITERT)
    assert finding.name == "densify-of-dense"


def test_errors_come_before_warnings() -> None:
    model = Model.from_bytes(one_op(FC, weight_for(FC, "int8"), asymmetric=False))
    sparse = stored_sparse(model.to_bytes(), block_csr((1, 4)), densify=False, version=8)
    severities = [finding.severity for finding in found(sparse)]
    assert severities == [Severity.ERROR, Severity.WARNING]


def test_second_subgraph_is_looked_at_too() -> None:
    model = Model.from_bytes(NATIVE)
    other = Model.from_bytes(stored_sparse(one_op(FC, weight_for(FC, "float32")), csr(2), densify=False))
    model.subgraphs += other.subgraphs
    (finding,) = lint(model, LITERT)
    assert finding.subgraph == 1
