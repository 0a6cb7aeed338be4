"""A plan is carried out in the form that the target reads, and the outputs stay."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kernel_sets import assert_alike
from models_in_memory import Graph, mlp, new_model, packed
from one_op_models import one_op, weight_for

from sparsetool_converters.model import Model, Operator
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.passes.asymmetric_inputs import quantize_inputs_asymmetrically
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT


def encoded(data: bytes) -> Model:
    model = Model.from_bytes(data)
    plan = make_plan(model, LITERT)
    changes = EncodeSparse(plan)(model)
    assert [(c.tensor, c.what, c.bytes_before, c.bytes_after) for c in changes] == [
        (d.name, d.reason, d.dense_bytes, d.encoded_bytes) for d in plan.encoded()
    ]
    return Model.from_bytes(model.to_bytes())


def operators(model: Model) -> list[tuple[str, int]]:
    return [(op.name, op.code.version) for _, op in model.operators()]


def sparse(shape: tuple[int, ...], *, dtype: str = "float32", block: int = 1, seed: int = 0) -> np.ndarray:
    return weight_for("", dtype, shape=shape, block=block, seed=seed)


def layers(model: Model) -> list[Operator]:
    return [op for _, op in model.operators() if op.name == "FULLY_CONNECTED"]


@pytest.mark.parametrize("block", [1, 4])
def test_float_fully_connected_reads_its_weight_sparse_under_version_8(block: int) -> None:
    dense = mlp([sparse((48, 64), block=block), np.ones((10, 48)) / 48])
    model = encoded(dense)
    assert operators(model) == [("FULLY_CONNECTED", 8), ("FULLY_CONNECTED", 1)]
    weight = layers(model)[0].inputs[1]
    assert weight is not None
    assert len(weight.encoded().levels) == (2 if block == 1 else 3)
    assert np.array_equal(weight.array(), sparse((48, 64), block=block))
    assert_alike(dense, model.to_bytes())


def test_dense_operator_that_shares_a_code_keeps_its_version() -> None:
    source = Model.from_bytes(mlp([sparse((48, 64)), np.ones((10, 48)), sparse((64, 10))]))
    shared = source.operator_codes[0]
    for operator in layers(source):
        operator.code = shared
    model = encoded(source.to_bytes())
    assert operators(model) == [("FULLY_CONNECTED", 8), ("FULLY_CONNECTED", 1), ("FULLY_CONNECTED", 8)]
    assert layers(model)[0].code is layers(model)[2].code
    assert [(code.name, code.version) for code in model.operator_codes] == [
        ("FULLY_CONNECTED", 1),
        ("FULLY_CONNECTED", 8),
    ]


def unrolled(weight: np.ndarray, steps: int, *, dequantized: bool = False) -> bytes:
    """A square weight that FULLY_CONNECTED operators read one after the other, then once more at a fused RELU."""
    model = new_model()
    graph = Graph(model)
    x = first = graph.tensor("x", (1, len(weight)))
    w = graph.constant("w", weight, scale=1 / 1024 if weight.dtype == np.int8 else None)
    if dequantized:
        w = graph.dequantized(w)
    for step in range(steps):
        y = graph.tensor(f"h{step}", (1, len(weight)))
        graph.fully_connected(x, w, -1, y, activation=int(step == steps - 1))
        x = y
    graph.ends([first], [x])
    return packed(model)


@pytest.mark.parametrize(
    ("dtype", "block", "dequantized", "found"),
    [
        ("float32", 1, False, [("FULLY_CONNECTED", 8)] * 5),
        ("int8", 16, False, [("FULLY_CONNECTED", 8)] * 5),
        ("int8", 1, False, [("DENSIFY", 1), *[("FULLY_CONNECTED", 8)] * 5]),
        ("float16", 1, True, [("DENSIFY", 1), ("DEQUANTIZE", 3), *[("FULLY_CONNECTED", 1)] * 5]),
    ],
)
def test_weight_of_an_unrolled_network_is_stored_once_and_read_at_every_step(
    dtype: str, block: int, dequantized: bool, found: list[tuple[str, int]]
) -> None:
    weight = sparse((96, 96), dtype=dtype, block=block)
    dense = unrolled(weight if dtype == "int8" else weight / 8, 5, dequantized=dequantized)
    model = encoded(dense)
    assert operators(model) == found
    assert len({id(layer.inputs[1]) for layer in layers(model)}) == 1
    assert {bool(layer.fields.builtinOptions.asymmetricQuantizeInputs) for layer in layers(model)} == {dtype == "int8"}
    assert len(model.to_bytes()) < 0.7 * len(dense)
    as_encoded = Model.from_bytes(dense)
    for layer in layers(as_encoded):
        quantize_inputs_asymmetrically(layer)  # as XNNPACK does; the dense builtin kernels do so only when told
    assert_alike(as_encoded.to_bytes() if dtype == "int8" else dense, model.to_bytes())


def test_code_that_no_operator_uses_any_more_goes() -> None:
    model = encoded(mlp([sparse((48, 64))]))
    assert [(code.name, code.version) for code in model.operator_codes] == [("FULLY_CONNECTED", 8)]


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("asymmetric", [True, False])
def test_hybrid_fully_connected_reads_blocks_of_16_and_quantizes_its_input_as_xnnpack_does(
    per_channel: bool, asymmetric: bool
) -> None:
    dense = one_op("FULLY_CONNECTED", sparse((48, 256), dtype="int8", block=16), per_channel=per_channel)
    source = Model.from_bytes(dense)
    layers(source)[0].fields.builtinOptions.asymmetricQuantizeInputs = asymmetric
    model = encoded(source.to_bytes())
    assert operators(model) == [("FULLY_CONNECTED", 8)]
    assert layers(model)[0].fields.builtinOptions.asymmetricQuantizeInputs
    assert_alike(dense, model.to_bytes())


def test_operator_whose_options_are_absent_gets_the_one_it_needs() -> None:
    source = Model.from_bytes(one_op("FULLY_CONNECTED", sparse((48, 256), dtype="int8", block=16)))
    layers(source)[0].fields.builtinOptions = None
    layers(source)[0].fields.builtinOptionsType = 0
    assert layers(encoded(source.to_bytes()))[0].fields.builtinOptions.asymmetricQuantizeInputs


@pytest.mark.parametrize("per_channel", [True, False])
def test_int8_fully_connected_reads_blocks_of_16(per_channel: bool) -> None:
    dense = one_op("FULLY_CONNECTED", sparse((48, 256), dtype="int8", block=16), "int8", per_channel=per_channel)
    model = encoded(dense)
    assert operators(model) == [("FULLY_CONNECTED", 8)]
    assert_alike(dense, model.to_bytes())


@pytest.mark.parametrize("activation", ["int8", "float32"])
def test_int8_fully_connected_without_blocks_goes_behind_densify_and_gets_version_8(activation: str) -> None:
    dense = one_op("FULLY_CONNECTED", sparse((48, 256), dtype="int8"), activation)
    model = encoded(dense)
    assert operators(model) == [("DENSIFY", 1), ("FULLY_CONNECTED", 8)]
    assert_alike(dense, model.to_bytes())


@pytest.mark.parametrize(
    ("op", "dtype", "activation", "dequantized"),
    [
        ("CONV_2D", "float32", "float32", False),
        ("CONV_2D", "float16", "float32", True),
        ("CONV_2D", "int8", "int8", False),
        ("DEPTHWISE_CONV_2D", "float32", "float32", False),
        ("DEPTHWISE_CONV_2D", "int8", "int8", False),
    ],
)
def test_convolution_gets_densify_and_keeps_its_version(
    op: str, dtype: str, activation: str, dequantized: bool
) -> None:
    weight = weight_for(op, dtype)
    dense = one_op(op, weight, activation, dequantized=dequantized)
    model = encoded(dense)
    assert operators(model) == [("DENSIFY", 1), *operators(Model.from_bytes(dense))]
    graph = model.subgraphs[0]
    (stored,), (unpacked,) = graph.operators[0].inputs, graph.operators[0].outputs
    assert stored is not None
    assert unpacked is not None
    assert (stored.name, unpacked.name) == ("weight/sparse", "weight")
    assert (stored.is_sparse, unpacked.is_sparse, unpacked.is_constant) == (True, False, False)
    assert (stored.shape, stored.type) == (unpacked.shape, unpacked.type) == (weight.shape, stored.type)
    assert np.array_equal(stored.array(), weight)
    if dtype == "int8":  # kernels read the scales of one, decoders those of the other
        assert np.array_equal(stored.scales, unpacked.scales)
        assert stored.quantization.quantizedDimension == unpacked.quantization.quantizedDimension
    assert_alike(dense, model.to_bytes())


def test_densify_stands_right_before_what_reads_it() -> None:
    model = new_model()
    graph = Graph(model)
    x, h, y = (graph.tensor(name, (1, 48)) for name in "xhy")
    first = graph.dequantized(graph.constant("w0", sparse((48, 48), dtype="float16")))
    graph.fully_connected(x, first, -1, h)
    second = graph.dequantized(graph.constant("w1", sparse((48, 48), dtype="float16", seed=1)))
    graph.fully_connected(h, second, -1, y)
    graph.ends([x], [y])
    dense = packed(model)
    changed = encoded(dense)
    assert [name for name, _ in operators(changed)] == ["DENSIFY", "DEQUANTIZE", "FULLY_CONNECTED"] * 2
    assert_alike(dense, changed.to_bytes())


def test_empty_plan_changes_nothing() -> None:
    data = mlp([np.ones((4, 8))])
    model = Model.from_bytes(data)
    assert EncodeSparse(make_plan(model, LITERT))(model) == []
    assert model.to_bytes() == Model.from_bytes(data).to_bytes()


def test_encoding_twice_gives_the_same_bytes() -> None:
    data = mlp([sparse((48, 64)), sparse((32, 48))])
    assert encoded(data).to_bytes() == encoded(data).to_bytes()


def test_first_buffer_is_not_taken_for_empty_where_it_is_not() -> None:
    source = Model.from_bytes(one_op("CONV_2D", weight_for("CONV_2D", "float32")))
    source.buffers.reverse()
    model = encoded(source.to_bytes())
    assert model.buffers[0].nbytes > 0
    (unpacked,) = model.subgraphs[0].operators[0].outputs
    assert unpacked is not None
    assert not unpacked.is_constant


def test_published_model_pruned_and_encoded_stays_the_same(published_model: Callable[[str], Path]) -> None:
    model = Model.from_bytes(published_model("face_detection_full_range.tflite").read_bytes())
    for tensor in model.subgraphs[0].tensors:
        if tensor.is_constant and len(tensor.shape) == 4 and tensor.type_name in ("FLOAT16", "FLOAT32"):
            pruned = tensor.array().copy()
            pruned[np.abs(pruned) < np.quantile(np.abs(pruned), 0.8)] = 0
            tensor.buffer = type(tensor.buffer)(pruned.reshape(-1).view(np.uint8))
    dense = model.to_bytes()
    changed = encoded(dense)
    assert len([name for name, _ in operators(changed) if name == "DENSIFY"]) > 5
    assert len(changed.to_bytes()) < 0.85 * len(dense)
    assert_alike(dense, changed.to_bytes())
