"""Two models' constants, without a runtime: what is right passes, and what was planted is named."""

import re
from collections import Counter

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool.pipeline.events import Silence
from sparsetool.verify.weight_comparison import compare_weights
from sparsetool_converters.errors import SparseToolError
from sparsetool_converters.model import Buffer, Model
from sparsetool_converters.passes.recipes import RECIPES

RNG = np.random.default_rng(17)
SAMPLES = RNG.random((32, 64), np.float32)


def sparse(shape, zeros=0.8, block=1):
    rng = np.random.default_rng(sum(shape))
    kept = np.repeat(rng.random((shape[0], shape[1] // block)) >= zeros, block, axis=1)
    return (rng.normal(size=shape) * kept).astype(np.float32)


@pytest.fixture(scope="module")
def float_model():
    """64 to 96 to 96 to 32, 80 % zeros, the first in blocks of 1x16; two layers of one shape; 20 dead units."""
    weights = [sparse((96, 64), block=16), sparse((96, 96)), sparse((32, 96), zeros=0.3)]
    weights[1][:, 10:30] = 0.0
    return mlp(weights, [np.linspace(-1, 1, 96), np.linspace(0, 1, 96), np.linspace(-1, 0, 32)])


def converted(model, quantize="none", **settings):
    settings = Settings(quantize=quantize, **settings)
    return convert(model, settings, calibration=SAMPLES, where="model", listener=Silence()).result


def edited(data, edit, name="w1"):
    model = Model.from_bytes(data)
    (tensor,) = (t for graph in model.subgraphs for t in graph.tensors if t.name == name)
    edit(tensor)
    return model.to_bytes()


def with_values(change):
    def edit(tensor):
        values = tensor.buffer.data.view(tensor.dtype()).copy()
        change(values)
        tensor.buffer = Buffer(values.view(np.uint8))

    return edit


def problems(reference, candidate):
    return [(f.kind, f.where, f.problem) for f in compare_weights(reference, candidate).findings]


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize("encode", [True, False])
@pytest.mark.parametrize("quantize", ["none", "float16", "dynamic", "int8"])
def test_every_conversion_of_ours_passes_with_its_relation(float_model, quantize, encode, compact):
    found = compare_weights(float_model, converted(float_model, quantize, encode=encode, compact=compact))
    assert found.findings == ()
    assert found.restructured == compact
    relations = Counter(record.relation for record in found.records)
    assert set(relations) <= {"identical", "rounded"}
    assert relations["identical"] + relations["rounded"] == 6
    assert (relations["rounded"] > 0) == (quantize != "none")
    assert all(record.zeros_kept == record.zeros for record in found.records)
    first = next(record for record in found.records if record.name == "w0")
    if not compact:
        assert (first.block_size, first.blocks_kept) == ((1, 16), True)
    assert (first.stored != "dense") == (encode and (quantize != "int8" or not compact)) or encode


@pytest.mark.parametrize("recipe", [str(recipe.name) for recipe in RECIPES if not recipe.refused])
def test_no_recipe_of_the_quantizer_is_taken_for_a_fault(float_model, recipe):
    try:
        candidate = converted(float_model, recipe, allow_zero_loss=True, compact=False)
    except SparseToolError:
        pytest.skip("refused for this model")
    assert problems(float_model, candidate) == []


@pytest.mark.parametrize("bit", [0, 12, 22, 31])
def test_one_flipped_bit_of_a_float_is_named(float_model, bit):
    def flip(values):
        values.view(np.uint32)[np.flatnonzero(values)[7]] ^= np.uint32(1 << bit)

    ((kind, where, problem),) = problems(float_model, edited(float_model, with_values(flip)))
    assert (kind, where) == ("weight", "w1")
    assert problem.startswith("1 of 9,216 values differ, first at [")
    assert problem.endswith(f", bit {bit} flipped")


@pytest.mark.parametrize("quantize", ["dynamic", "int8"])
def test_one_flipped_bit_of_an_integer_is_found_beside_the_float_model(float_model, quantize):
    candidate = converted(float_model, quantize, encode=False, compact=False)

    def flip(values):
        values[np.flatnonzero(values)[7]] ^= np.int8(2)

    ((kind, where, problem),) = problems(float_model, edited(candidate, with_values(flip)))
    assert (kind, where) == ("weight", "w1")
    assert problem.startswith("1 of 9,216 values are not the nearest step to the reference's, first at [")


@pytest.mark.parametrize("quantize", ["none", "float16", "dynamic", "int8"])
def test_swapped_weights_are_named_with_what_stands_in_their_place(quantize):
    weights = [RNG.normal(size=(64, 64)) for _ in range(3)]
    swapped = converted(mlp([weights[0], weights[2], weights[1]]), quantize, encode=False, compact=False)
    found = {where: problem for _, where, problem in problems(mlp(weights), swapped)}
    assert set(found) == {"w1", "w2"}
    assert found["w1"].startswith("holds the values of w2; ")
    assert found["w2"].startswith("holds the values of w1; ")


def test_two_buffers_that_were_exchanged_are_named(float_model):
    model = Model.from_bytes(float_model)
    tensors = {t.name: t for t in model.subgraphs[0].tensors}
    tensors["b0"].buffer, tensors["b1"].buffer = tensors["b1"].buffer, tensors["b0"].buffer
    assert {where for _, where, _ in problems(float_model, model.to_bytes())} == {"b0", "b1"}


def test_operators_that_read_each_others_weights_are_found(float_model):
    model = Model.from_bytes(float_model)
    first, second = model.subgraphs[0].operators[:2]
    first.inputs[2], second.inputs[2] = second.inputs[2], first.inputs[2]
    found = problems(float_model, model.to_bytes())
    assert {where for _, where, _ in found} == {"b0", "b1"}
    assert found[0][2].startswith("holds the values of ")


def test_a_stale_index_vector_is_named(float_model):
    candidate = converted(float_model, compact=False)

    def stale(tensor):
        assert tensor.is_sparse
        for level in tensor.fields.sparsity.dimMetadata:
            if level.arrayIndices is not None:
                indices = np.array(level.arrayIndices.values)
                at = np.flatnonzero(np.diff(indices.astype(int)) > 1)[0]
                indices[at] += 1
                level.arrayIndices.values = indices

    name = next(t.name for t in Model.from_bytes(candidate).subgraphs[0].tensors if t.is_sparse)
    ((kind, where, problem),) = problems(float_model, edited(candidate, stale, name))
    assert (kind, where) == ("weight", name)
    assert "values differ, first at [" in problem


def test_an_index_vector_that_cannot_be_decoded_is_a_finding(float_model):
    candidate = converted(float_model, compact=False)

    def broken(tensor):
        for level in tensor.fields.sparsity.dimMetadata:
            if level.arrayIndices is not None:
                indices = np.array(level.arrayIndices.values)
                indices[-1] = np.iinfo(indices.dtype).max
                level.arrayIndices.values = indices

    name = next(t.name for t in Model.from_bytes(candidate).subgraphs[0].tensors if t.is_sparse)
    found = compare_weights(float_model, edited(candidate, broken, name))
    assert [(f.where, f.exit_code) for f in found.findings] == [(name, 4)]
    assert found.findings[0].problem.startswith("cannot be decoded: ")
    assert [r.relation for r in found.records if r.name == name] == ["unreadable"]


@pytest.mark.parametrize("beside", ["float", "int8"])
def test_a_scale_that_is_off_by_one_percent_is_named(float_model, beside):
    candidate = converted(float_model, "int8", encode=False, compact=False)

    def off(tensor):
        scales = np.array(tensor.quantization.scale)
        scales[3] *= 1.01
        tensor.quantization.scale = scales

    reference = float_model if beside == "float" else candidate
    ((kind, where, problem),) = problems(reference, edited(candidate, off))
    assert (kind, where) == ("quantization", "w1")
    assert float(re.search(r"off by \+([\d.]+)%", problem)[1]) == pytest.approx(1.0, abs=0.3)
    assert "channel 3" in problem or "scale 3 of 96" in problem


def test_another_model_has_nothing_to_do_with_this_one(float_model):
    other = mlp([-sparse((96, 64), 0.5), sparse((96, 96), 0.1), sparse((32, 96), 0.1)])
    found = problems(float_model, converted(other, "dynamic", compact=False))
    assert {where for _, where, _ in found} >= {"w0", "w1", "w2"}
    assert all(kind in ("weight", "quantization") for kind, _, _ in found)


def test_lost_zeros_are_named_where_rounding_does_not_explain_them(float_model):
    candidate = converted(float_model, "float16", encode=False, compact=False)

    def fill(values):
        values[values == 0] = np.float16(1e-3)

    found = problems(float_model, edited(candidate, with_values(fill)))
    assert [(kind, where) for kind, where, _ in found] == [("weight", "w1")]


def test_models_of_other_operators_are_compared_by_name(float_model):
    found = compare_weights(float_model, mlp([sparse((96, 64), block=16)]))
    assert "by name" in found.notes[0]
    relations = {record.name: record.relation for record in found.records}
    assert relations["w0"] == "identical"
    assert relations["w2"] == "missing"
