"""What a model file consists of, measured without running it."""

import numpy as np
import pytest
from models_in_memory import Graph, mlp, new_model, packed
from one_op_models import one_op, weight_for

from sparsetool.report.inspection import inspect_model
from sparsetool_converters.codec import pack
from sparsetool_converters.errors import ModelFormatError
from sparsetool_converters.model import Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT


def encoded(data):
    model = Model.from_bytes(data)
    EncodeSparse(make_plan(model, LITERT))(model)
    return model.to_bytes()


def test_a_dense_model_is_counted_to_the_weight():
    first = np.ones((6, 4), np.float32)
    first[:3] = 0.0
    first[0, 0] = -0.0
    data = mlp([first, np.ones((2, 6))], [np.zeros(6), np.zeros(2)])
    record = inspect_model(data, name="dense.tflite")
    assert (record.name, record.sizes.disk, record.sizes.wire) == ("dense.tflite", len(data), len(pack(data)))
    assert (record.subgraphs, record.operators) == (1, {"FULLY_CONNECTED v1": 2})
    assert (record.inputs, record.outputs) == (("x float32 [1, 4]",), ("y float32 [1, 2]",))
    assert (record.weights, record.zeros) == (24 + 12, 11)  # -0.0 is no zero to an encoder
    assert [(t.name, t.shape, t.dense_bytes, t.stored_bytes, t.encoded, t.reason) for t in record.tensors] == [
        ("w0", (6, 4), 96, 96, False, "dense"),
        ("w1", (2, 6), 48, 48, False, "dense"),
    ]
    assert record.tensors[0].sparsity == 11 / 24


@pytest.mark.parametrize(
    ("op", "how", "operators"),
    [
        ("FULLY_CONNECTED", "sparse, read by the kernel", {"FULLY_CONNECTED v8": 1}),
        ("CONV_2D", "sparse, unpacked by DENSIFY", {"CONV_2D v1": 1, "DENSIFY v1": 1}),
    ],
)
def test_an_encoded_model_has_the_same_zeros_and_says_how_they_are_stored(op, how, operators):
    dense = one_op(op, weight_for(op, "float32", zeros=0.7))
    before, after = inspect_model(dense, name="dense"), inspect_model(encoded(dense), name="encoded")
    assert (after.weights, after.zeros) == (before.weights, before.zeros)
    assert after.operators == operators
    (tensor,) = after.tensors
    assert (tensor.encoded, tensor.reason, tensor.op) == (True, how, op)
    assert tensor.dense_bytes == before.tensors[0].dense_bytes
    assert tensor.stored_bytes < tensor.dense_bytes
    assert after.sizes.disk < before.sizes.disk


def test_a_weight_that_two_operators_share_is_counted_once():
    model = new_model()
    graph = Graph(model)
    x, h, y = (graph.tensor(name, (1, 4)) for name in ("x", "h", "y"))
    weight = graph.constant("w", np.eye(4, dtype=np.float32))
    graph.fully_connected(x, weight, -1, h)
    graph.fully_connected(h, weight, -1, y)
    graph.ends([x], [y])
    record = inspect_model(packed(model), name="shared")
    assert (record.weights, record.zeros, len(record.tensors)) == (16, 12, 1)


def test_what_is_no_model_is_refused_by_its_name():
    with pytest.raises(ModelFormatError, match=r"^a\.png: is not a \.tflite file"):
        inspect_model(b"\x89PNG\r\n\x1a\n1234", name="a.png")


def test_weights_under_a_byte_are_counted():
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 5)), graph.tensor("y", (1, 3))
    weight = graph.tensor("w", (3, 5), "int4", data=np.array([0x21, 0, 0, 0, 0, 0, 0, 0x0F], np.uint8), scale=0.5)
    graph.fully_connected(x, weight, -1, y)
    graph.ends([x], [y])
    (tensor,) = inspect_model(packed(model), name="int4").tensors
    assert (tensor.type, tensor.dense_bytes, tensor.stored_bytes, tensor.sparsity) == ("INT4", 8, 8, 12 / 15)


def test_a_sparse_weight_is_counted_without_being_unpacked():
    read = Model.from_bytes(encoded(one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "float32", zeros=1.0))))
    (weight,) = [t for t in read.subgraphs[0].tensors if t.is_sparse]
    rows = weight.shape[0]
    weight.shape = (rows, 2**24)  # gigabytes, of a few bytes
    record = inspect_model(read.to_bytes(), name="huge")
    assert (record.weights, record.zeros) == (rows * 2**24, rows * 2**24)


def test_dead_channels_are_counted_before_anything_is_done():
    first, second = np.ones((6, 4), np.float32), np.ones((2, 6), np.float32)
    first[0] = 0.0  # with the bias, always 1
    second[:, 1] = 0.0
    data = mlp([first, second], [np.ones(6), np.zeros(2)])
    dead = inspect_model(data, name="model").dead
    assert (dead.channels, dead.elements) == (2, 2 * 4 + 2 + 2 * 2)
    assert dead.payload_bytes == 4 * dead.elements
    assert dead.tensors == {"w0": 32, "b0": 8, "w1": 16, "b1": 0}


def test_a_model_without_dead_channels_has_none():
    dead = inspect_model(mlp([np.ones((6, 4)), np.ones((2, 6))]), name="model").dead
    assert (dead.channels, dead.elements, dead.payload_bytes, dead.tensors) == (0, 0, 0, {})
