"""What is done to a model for the quantizer's sake, and undone."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from kernel_sets import RESOLVERS, run_here
from models_in_memory import Graph, new_model, packed, signature

from sparsetool_converters.model import Model
from sparsetool_converters.passes.kept_zeros import QuantizedWeight
from sparsetool_converters.passes.quantize import Quantize
from sparsetool_converters.passes.quantize_layers import LayerRecipe

RNG = np.random.default_rng(0)
X = RNG.random((1, 32)).astype(np.float32)


def half_model() -> bytes:
    """x -> FULLY_CONNECTED "first" -> FULLY_CONNECTED "second" -> y, weights and biases in float16."""
    model = new_model()
    graph = Graph(model)
    x = first = graph.tensor("x", (1, 32))
    for name, units in (("first", 16), ("second", 8)):
        y = graph.tensor(f"{name}_out", (1, units))
        width = 32 if name == "first" else 16
        weight = RNG.normal(size=(units, width)) * (RNG.random((units, width)) < 0.5) / 4
        made = []
        for part, values in ((name, weight), (f"{name}_bias", np.linspace(0, 1, units))):
            constant = graph.constant(part, values.astype(np.float16))
            made.append(graph.tensor(f"{part}_float", values.shape))
            graph.op(schema.BuiltinOperator.DEQUANTIZE, [constant], [made[-1]], version=3)
        graph.fully_connected(x, *made, y)
        x = y
    graph.ends([first], [x])
    model.signatureDefs = [signature("predict", {"in": first}, {"out": x})]
    return packed(model)


HALF = half_model()


def types(model: Model) -> dict[str, str]:
    return {t.name: t.type_name for t in model.subgraphs[0].tensors if t.is_constant}


def assert_close(data: bytes, tolerance: float = 0.03) -> None:
    for kernel_set in RESOLVERS:
        wanted, found = (run_here(d, X, kernel_set=kernel_set)[0] for d in (HALF, data))
        assert np.abs(wanted - found).max() <= tolerance * np.abs(wanted).max(), kernel_set


@pytest.mark.parametrize("recipe", ["dynamic", "weight_only_wi8_afp32"])
def test_float16_weights_become_integers_and_their_biases_float32_constants(recipe: str) -> None:
    model = Model.from_bytes(HALF)
    changes = [c for c in Quantize(recipe)(model) if isinstance(c, QuantizedWeight)]
    assert sorted(types(model).values()) == ["FLOAT32", "FLOAT32", "INT8", "INT8"]
    assert [(c.type_before, c.type_after, c.bytes_before // c.bytes_after) for c in changes] == [
        ("FLOAT16", "INT8", 2),
        ("FLOAT16", "INT8", 2),
    ]
    assert all(c.zeros_after >= c.zeros_before > 0 for c in changes)
    assert_close(model.to_bytes())


def test_float16_weights_that_are_not_quantized_stay_float16() -> None:
    model = Model.from_bytes(HALF)
    Quantize("dynamic", layers=(LayerRecipe(pattern="second", recipe="none"),))(model)
    found = types(model)
    assert (found["second"], found["second_bias"]) == ("FLOAT16", "FLOAT16")
    assert sorted(found.values()) == ["FLOAT16", "FLOAT16", "FLOAT32", "INT8"]
    assert_close(model.to_bytes())


@pytest.mark.parametrize("recipe", ["float16", "none", "dynamic_legacy_wi8_afp32"])
def test_model_that_is_not_quantized_stays_as_it_was(recipe: str) -> None:
    model = Model.from_bytes(HALF)
    before = model.to_bytes()
    assert list(Quantize(recipe)(model)) == []
    assert model.to_bytes() == before


def test_tensors_of_one_name_are_told_apart_and_called_as_before() -> None:
    model = new_model()
    graph = Graph(model)
    x, h, y = graph.tensor("x", (1, 32)), graph.tensor("h", (1, 16)), graph.tensor("y", (1, 8))
    for source, shape, made in ((x, (16, 32), h), (h, (8, 16), y)):
        graph.fully_connected(source, graph.constant("same", RNG.normal(size=shape).astype(np.float32)), -1, made)
    graph.ends([x], [y])
    read = Model.from_bytes(packed(model))
    assert len(Quantize("dynamic")(read)) == 2
    assert [(t.name, t.type_name) for t in read.subgraphs[0].tensors if t.is_constant] == [("same", "INT8")] * 2


def test_ends_keep_their_names_where_the_quantizer_adds_an_operator() -> None:
    """FLOOR is no operator of the quantizer's: what it writes stays float, and is quantized for the output."""
    model = new_model()
    graph = Graph(model)
    x, h, y = graph.tensor("x", (1, 32)), graph.tensor("h", (1, 16)), graph.tensor("y", (1, 16))
    graph.fully_connected(x, graph.constant("w", RNG.normal(size=(16, 32)).astype(np.float32)), -1, h)
    graph.op(schema.BuiltinOperator.FLOOR, [h], [y])
    graph.ends([x], [y])
    read = Model.from_bytes(packed(model))
    Quantize("int8", X[np.newaxis])(read)
    assert [t.name for t in [*read.subgraphs[0].inputs, *read.subgraphs[0].outputs] if t is not None] == ["x", "y"]
    names = [t.name for t in read.subgraphs[0].tensors]
    assert len(set(names)) == len(names)
