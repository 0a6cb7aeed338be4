"""Constants are compared bit for bit, however they are stored; a planted fault is named with its place."""

import numpy as np
import pytest
from models_in_memory import mlp
from one_op_models import one_op, weight_for

from sparsetool.verify.weights import check_constants
from sparsetool_converters.errors import SparseToolError, VerificationError
from sparsetool_converters.model import Buffer, Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT

# (model, whether its weight is stored behind DENSIFY)
ENCODED = {
    "native float32": (lambda: one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "float32", zeros=0.7))),
    "densified float32": (lambda: one_op("CONV_2D", weight_for("CONV_2D", "float32"))),
    "densified float16": (lambda: one_op("CONV_2D", weight_for("CONV_2D", "float16"), dequantized=True)),
    "native int8": (lambda: one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", block=16), "int8")),
    "densified int8": (lambda: one_op("CONV_2D", weight_for("CONV_2D", "int8"), "int8")),
}


@pytest.fixture(params=ENCODED)
def pair(request):
    """A dense model, and the same with its weight encoded."""
    dense = ENCODED[request.param]()
    model = Model.from_bytes(dense)
    changes = EncodeSparse(make_plan(model, LITERT))(model)
    assert [change.tensor for change in changes] == ["weight"]
    return dense, model.to_bytes()


def sparse_tensor(model):
    (found,) = [t for graph in model.subgraphs for t in graph.tensors if t.is_sparse]
    return found


def with_fault(data, plant):
    model = Model.from_bytes(data)
    plant(model)
    return model.to_bytes()


def refusal(reference, candidate, **more):
    with pytest.raises(VerificationError) as caught:
        check_constants(reference, candidate, stage="encode", **more)
    assert caught.value.stage == "encode"
    return caught.value


def test_an_encoded_model_has_the_constants_of_the_dense_one(pair):
    dense, encoded = pair
    check_constants(dense, encoded, stage="encode")
    check_constants(encoded, dense, stage="densify")


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("bit", [0, 3, 7])
def test_any_flipped_bit_of_an_encoded_weight_is_found(pair, place, bit):
    def plant(model):
        tensor = sparse_tensor(model)
        data = tensor.buffer.data.copy()
        data[place] ^= 1 << bit
        tensor.buffer = Buffer(data)

    error = refusal(pair[0], with_fault(pair[1], plant))
    assert error.tensor == "weight"
    assert error.problem.startswith("1 of ")


def test_a_stale_index_is_found(pair):
    def plant(model):
        for level in sparse_tensor(model).fields.sparsity.dimMetadata:
            if level.arrayIndices is not None:
                indices = np.array(level.arrayIndices.values)
                at = np.flatnonzero(np.diff(indices.astype(int)) > 1)[0]  # room for one more between two of a row
                indices[at] += 1
                level.arrayIndices.values = indices

    error = refusal(pair[0], with_fault(pair[1], plant))
    assert error.tensor == "weight"
    assert "values differ, first at [" in error.problem


def test_an_index_outside_of_the_tensor_is_refused(pair):
    def plant(model):
        for level in sparse_tensor(model).fields.sparsity.dimMetadata:
            if level.arrayIndices is not None:
                indices = np.array(level.arrayIndices.values)
                indices[-1] = np.iinfo(indices.dtype).max
                level.arrayIndices.values = indices

    with pytest.raises(SparseToolError):
        check_constants(pair[0], with_fault(pair[1], plant), stage="encode")


def scale_off_by_one_percent(parameters):
    parameters.scale = np.asarray(parameters.scale) * np.where(np.arange(len(parameters.scale)) == 3, 1.01, 1.0)


def zero_point_moved(parameters):
    parameters.zeroPoint = np.asarray(parameters.zeroPoint) + (np.arange(len(parameters.zeroPoint)) == 3)


def other_dimension(parameters):
    parameters.quantizedDimension = 1


@pytest.mark.parametrize("fault", [scale_off_by_one_percent, zero_point_moved, other_dimension])
@pytest.mark.parametrize("name", ["native int8", "densified int8"])
def test_another_quantization_of_the_same_stored_values_is_found(name, fault):
    dense = ENCODED[name]()
    model = Model.from_bytes(dense)
    EncodeSparse(make_plan(model, LITERT))(model)
    fault(next(t for t in model.subgraphs[0].tensors if t.name == "weight").quantization)
    error = refusal(dense, model.to_bytes())
    assert (error.tensor, error.problem) == ("weight", "has other quantization scales or zero points")


def test_a_bias_counts_as_well():
    weight, bias = np.ones((4, 8), np.float32), np.arange(4, dtype=np.float32)
    moved = bias.copy()
    moved[2] = np.nextafter(moved[2], np.float32(9))
    error = refusal(mlp([weight], [bias]), mlp([weight], [moved]))
    assert (error.tensor, error.problem) == (
        "b0",
        "1 of 4 values differ, first at [2]: bits 0x40000001, not 0x40000000",
    )


def test_negative_zeros_count_unless_they_are_what_the_stage_removes():
    weight = np.zeros((4, 8), np.float32)
    reference, candidate = mlp([-weight]), mlp([weight])
    check_constants(reference, candidate, stage="canonicalize", signed_zeros=False)
    assert "32 of 32 values differ" in refusal(reference, candidate).problem


def test_nan_equals_itself_to_the_bit():
    weight = np.full((4, 8), np.nan, np.float32)
    check_constants(mlp([weight]), mlp([weight]), stage="encode")
    check_constants(mlp([weight]), mlp([weight]), stage="encode", signed_zeros=False)
    other = weight.copy()
    other.view(np.uint32)[1, 1] |= 1
    assert "first at [1, 1]" in refusal(mlp([weight]), mlp([other])).problem


def test_another_shape_or_type_is_named():
    weight = np.ones((4, 8), np.float32)
    error = refusal(mlp([weight]), mlp([weight[:, :4]]))
    assert (error.tensor, error.problem) == ("w0", "is FLOAT32 [4, 4], not FLOAT32 [4, 8]")


@pytest.mark.parametrize("turned", [False, True])
def test_a_constant_that_appeared_or_went_is_named(turned):
    weight, bias = np.ones((4, 8), np.float32), np.ones(4, np.float32)
    pair = [mlp([weight], [bias]), mlp([weight])]
    assert refusal(*(pair[::-1] if turned else pair)).problem == "constants appeared, went or moved: b0"
