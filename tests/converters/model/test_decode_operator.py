"""What TFLM_DECODE unpacks, read from a file that anybody may have written."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, new_model, packed

from sparsetool_converters.errors import EncodingError, ModelFormatError
from sparsetool_converters.model import Buffer, Model, Operator
from sparsetool_converters.model.decode_operator import (
    HEADER_BYTES,
    decode_obstacle,
    decoded_constants,
    encode_pruned,
    has_decode,
    stored_constant,
)


def weight(array, **more):
    model = new_model()
    graph = Graph(model)
    graph.ends([], [graph.constant("w", array, **more)])
    return Model.from_bytes(packed(model)).subgraphs[0].tensors[0]


def decoding(tensor):
    """The operator that makes the tensor, and the tensors that it reads."""
    parts = [stored_constant(payload) for payload in encode_pruned(tensor)]
    model = Model.from_bytes(packed_nothing())
    return Operator(schema.OperatorT(), model.custom_code("TFLM_DECODE"), list(parts), [tensor]), parts


def packed_nothing():
    model = new_model()
    Graph(model).ends([], [])
    return packed(model)


ARRAY = (np.arange(48).reshape(6, 8) % 5).astype(np.int8)


@pytest.mark.parametrize("dtype", ["float32", "int8", "int16", "int32", "int64", "bool"])
def test_every_type_that_the_operator_makes_comes_back(dtype):
    tensor = weight(ARRAY.astype(dtype))
    operator, _ = decoding(tensor)
    (constant,) = decoded_constants(operator)
    assert constant.array().dtype == dtype
    assert constant.array().tobytes() == ARRAY.astype(dtype).tobytes()
    assert constant.stored_bytes == 6 + HEADER_BYTES + np.count_nonzero(ARRAY) * np.dtype(dtype).itemsize


@pytest.mark.parametrize(
    ("scale", "axis", "zero_point"), [(1.0, 0, 0), (1.0, 0, 3), (np.ones(6), 0, 3), (np.ones(8), 1, 3)]
)
def test_zero_points_are_what_is_left_out(scale, axis, zero_point):
    tensor = weight(ARRAY, scale=scale, axis=axis, zero_point=zero_point)
    bits, _ = encode_pruned(tensor)
    assert np.unpackbits(bits).sum() == np.count_nonzero(zero_point != ARRAY)
    operator, _ = decoding(tensor)
    assert decoded_constants(operator)[0].array().tobytes() == ARRAY.tobytes()


def test_first_zero_point_holds_for_all_scales_where_there_are_fewer():
    tensor = weight(ARRAY, scale=np.ones(6))
    tensor.quantization.zeroPoint = np.array([3])
    bits, _ = encode_pruned(tensor)
    assert np.unpackbits(bits).sum() == np.count_nonzero(ARRAY != 3)


@pytest.mark.parametrize(
    ("array", "more", "obstacle"),
    [
        (ARRAY.astype(np.float16), {}, "makes no FLOAT16, only BOOL"),
        (ARRAY.reshape(2, 3, 8), {"scale": np.ones(3), "axis": 1}, "its scales run along axis 1"),
        (ARRAY, {"scale": 1.0, "axis": 1}, "its scales run along axis 1"),
        (ARRAY.astype(np.int16), {"scale": 1.0, "zero_point": 1}, "its zero point is not 0"),
        (ARRAY, {"scale": 1.0, "zero_point": 128}, "zero points that INT8 cannot hold"),
        (ARRAY, {"scale": np.ones(5), "zero_point": 1}, r"has 5 scales for the shape \[6, 8\]"),
    ],
)
def test_what_the_operator_could_not_make_is_told(array, more, obstacle):
    tensor = weight(array, **more)
    with pytest.raises(ModelFormatError, match=obstacle):
        encode_pruned(tensor)
    assert decode_obstacle(tensor)


def damage_header(place, value):
    def damage(parts):
        payload = parts[1].buffer.data.copy()
        payload[place] = value
        parts[1].buffer = Buffer(payload)

    return damage


def cut(part, size):
    def damage(parts):
        parts[part].buffer = Buffer(parts[part].buffer.data[:size])

    return damage


def empty(parts):
    parts[0].buffer = Buffer()


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (damage_header(1, 2), ModelFormatError, "from version 2.1; only 1.1 is known"),
        (damage_header(4, 0), ModelFormatError, "from version 1.0; only 1.1 is known"),
        (cut(0, 5), EncodingError, "a bitmap of 5 bytes for 48 elements"),
        (cut(1, 20), EncodingError, "has 4 values for 38 bits"),
        (cut(1, 15), ModelFormatError, "without the 16 bytes that say how"),
        (empty, ModelFormatError, "from what is no dense constant"),
    ],
)
def test_damage_is_told_with_the_name_of_what_is_made(damage, error, words):
    operator, parts = decoding(weight(ARRAY))
    damage(parts)
    with pytest.raises(error, match=f"w: .*{words}"):
        decoded_constants(operator)[0].array()


@pytest.mark.parametrize("inputs", [0, 1, 3])
def test_operator_without_two_inputs_for_each_output_is_refused(inputs):
    operator, parts = decoding(weight(ARRAY))
    operator.inputs = (parts * 2)[:inputs]
    with pytest.raises(ModelFormatError, match=f"TFLM_DECODE: has {inputs} inputs for 1 outputs"):
        decoded_constants(operator)


def test_other_kinds_are_left_alone():
    operator, parts = decoding(weight(ARRAY))
    damage_header(0, 0)(parts)  # a look-up table
    assert decoded_constants(operator) == ()


def test_other_operators_decode_nothing():
    model = new_model()
    graph = Graph(model)
    x = graph.tensor("x", (1, 4))
    graph.op(schema.BuiltinOperator.RELU, [x], [x])
    graph.ends([x], [x])
    read = Model.from_bytes(packed(model))
    assert not has_decode(read)
    assert decoded_constants(read.subgraphs[0].operators[0]) == ()
