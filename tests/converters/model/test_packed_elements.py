"""Elements under a byte: the runtime's order, and the same bits back."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given
from hypothesis import strategies as st
from models_in_memory import Graph, new_model, packed

from sparsetool_converters.errors import EncodingError, ModelFormatError
from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.model.packed_elements import Packing
from sparsetool_converters.model.sparsity_fields import write_sparsity
from sparsetool_converters.passes import Densify
from sparsetool_converters.plan import Keep, make_plan
from sparsetool_converters.sparsity import block_csr, csr, decode, encode
from sparsetool_converters.targets import LITERT

PACKINGS = [Packing(bits=4, signed=True), Packing(bits=4, signed=False), Packing(bits=2, signed=True)]
RNG = np.random.default_rng(0)


def int4_model(values: npt.NDArray[np.int8]) -> bytes:
    """A constant of 4 bits, and what DEQUANTIZE makes of it."""
    model = new_model()
    graph = Graph(model)
    weight = graph.tensor("w", values.shape, "int4", data=Packing(bits=4, signed=True).pack(values), scale=1.0)
    made = graph.dequantized(weight)
    graph.ends([], [made])
    return packed(model)


def weight_of(data: bytes) -> Tensor:
    return Model.from_bytes(data).subgraphs[0].tensors[0]


def test_worked_example() -> None:
    packing = Packing(bits=4, signed=True)
    assert packing.pack(np.array([1, -2, 3], np.int8)).tolist() == [0xE1, 0x03]
    assert packing.unpack(np.array([0xE1, 0x03], np.uint8)).tolist() == [1, -2, 3, 0]


@pytest.mark.parametrize("shape", [(4, 8), (3, 5)])
def test_values_are_those_that_the_runtime_reads(shape: tuple[int, ...]) -> None:
    values = RNG.integers(-8, 8, shape).astype(np.int8)
    data = int4_model(values)
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert weight_of(data).array().tolist() == values.tolist() == found.tolist()


@given(st.sampled_from(PACKINGS), st.binary(max_size=20))
def test_every_payload_comes_back(packing: Packing, payload: bytes) -> None:
    stored = np.frombuffer(payload, np.uint8)
    values = packing.unpack(stored)
    assert values.dtype == packing.dtype
    assert values.size == len(payload) * packing.per_byte
    assert packing.pack(values).tobytes() == payload


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_value_comes_back_and_the_next_ones_are_refused(packing: Packing) -> None:
    lowest = -(2 ** (packing.bits - 1)) if packing.signed else 0
    values = np.arange(lowest, lowest + 2**packing.bits).astype(packing.dtype)
    for count in range(values.size + 1):
        payload = packing.pack(values[:count])
        assert payload.size == packing.nbytes(count)
        assert packing.unpack(payload)[:count].tolist() == values[:count].tolist()
    for beyond in (lowest - 1, lowest + 2**packing.bits):
        with pytest.raises(EncodingError, match=f"elements of {packing.bits} bits hold {lowest} to"):
            packing.pack(np.array([0, beyond], np.int16))


@pytest.mark.parametrize("layout", [csr(2), block_csr((1, 4)), block_csr((3, 1))])
@pytest.mark.parametrize("zeros", [0.0, 0.6, 1.0])
def test_sparse_int4_comes_back(layout: Any, zeros: float) -> None:
    values = RNG.integers(-8, 8, (9, 12)).astype(np.int8) * (RNG.random((9, 12)) >= zeros)
    values = values.astype(np.int8)
    assert decode(encode(values, layout)).tobytes() == values.tobytes()
    model = Model.from_bytes(int4_model(values))
    weight = model.subgraphs[0].tensors[0]
    write_sparsity(weight, encode(weight.array(), layout))
    kept = encode(values, layout).values.size
    assert weight.buffer.nbytes == -(-kept // 2)
    if kept:
        read = weight_of(model.to_bytes())
        assert read.encoded().values.size == kept
        assert read.array().tolist() == values.tolist()


def test_sparse_int4_behind_densify_is_unpacked_to_the_same_bytes() -> None:
    values = (RNG.integers(-8, 8, (9, 11)) * (RNG.random((9, 11)) < 0.3)).astype(np.int8)
    model = Model.from_bytes(int4_model(values))
    (graph,) = model.subgraphs
    (operator,) = graph.operators
    operator.code = model.operator_code(schema.BuiltinOperator.DENSIFY, 1)
    graph.tensors[1].fields.type = schema.TensorType.INT4
    dense = graph.tensors[0].buffer.data
    write_sparsity(graph.tensors[0], encode(values, csr(2)))
    assert len(Densify()(model)) == 1
    assert graph.outputs[0].buffer.data.tobytes() == dense.tobytes()
    assert graph.outputs[0].array().tolist() == values.tolist()


def test_sparse_int4_with_a_byte_too_many_is_refused() -> None:
    weight = weight_of(int4_model(np.eye(4, dtype=np.int8)))
    write_sparsity(weight, encode(np.eye(4, dtype=np.int8), csr(2)))
    weight.buffer.data = np.append(weight.buffer.data, np.uint8(0))
    with pytest.raises(EncodingError, match=r"^w: the levels lead to 4 values, and there are 6"):
        weight.array()


def test_int4_of_another_length_is_refused() -> None:
    weight = weight_of(int4_model(np.zeros((4, 4), np.int8)))
    weight.shape = (4, 5)
    with pytest.raises(ModelFormatError, match=r"payload has 8 bytes; INT4 \[4, 5\] takes 10"):
        weight.array()


def test_int4_weights_stay_dense_and_say_why() -> None:
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 64)), graph.tensor("y", (1, 32))
    weight = graph.tensor("w", (32, 64), "int4", data=np.zeros(32 * 32, np.uint8), scale=0.5)
    graph.fully_connected(x, weight, -1, y)
    graph.ends([x], [y])
    (decision,) = make_plan(Model.from_bytes(packed(model)), LITERT).decisions
    assert isinstance(decision, Keep)
    assert decision.reason.startswith("DENSIFY unpacks float32, float16 and int8 only")
