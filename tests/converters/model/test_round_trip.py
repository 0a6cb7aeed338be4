"""What is read is written back: nothing is lost, nothing moves that need not."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from model_trees import tree
from models_in_memory import Graph, mlp, new_model, packed, packed_outside, signature

from sparsetool_converters.model import Model

LIST_PATH = Path(__file__).parents[2] / "published" / "models.toml"
PUBLISHED = [entry["name"] for entry in tomllib.loads(LIST_PATH.read_text(encoding="utf-8"))["model"]]
LENGTH = 1280  # of an input that takes any
RNG = np.random.default_rng(0)
SMALL = mlp([RNG.random((8, 16)), RNG.random((4, 8))], [RNG.random(8), None])


def outputs(data: bytes) -> list[bytes]:
    interpreter = Interpreter(model_content=data, num_threads=1)
    for details in interpreter.get_input_details():
        if -1 in details["shape_signature"][1:]:
            shape = [LENGTH if size == -1 else size for size in details["shape_signature"]]
            interpreter.resize_tensor_input(details["index"], shape)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(1)
    for details in interpreter.get_input_details():
        values = rng.random(details["shape"]) * (1 if details["dtype"] == np.float32 else 2)
        interpreter.set_tensor(details["index"], values.astype(details["dtype"]))
    interpreter.invoke()
    return [interpreter.get_tensor(details["index"]).tobytes() for details in interpreter.get_output_details()]


def misaligned(data: bytes) -> list[int]:
    """Places of payloads that are no multiples of 16."""
    found, whole = [], schema.Model.GetRootAs(data, 0)
    start = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    for i in range(whole.BuffersLength()):
        payload = whole.Buffers(i).DataAsNumpy()
        if not isinstance(payload, int) and payload.size:
            found.append(payload.__array_interface__["data"][0] - start)
    assert found
    return [at for at in found if at % 16]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_model_comes_back_equal_in_every_field(name: str, published_model: Callable[[str], Path]) -> None:
    original = published_model(name).read_bytes()
    saved = Model.from_bytes(original).to_bytes()
    assert tree(saved) == tree(original)
    assert Model.from_bytes(saved).to_bytes() == saved
    assert misaligned(saved) == []
    assert outputs(saved) == outputs(original)


def test_saving_does_not_change_the_model() -> None:
    model = Model.from_bytes(SMALL)
    before = [vars(t.fields).copy() for t in model.subgraphs[0].tensors]
    first = model.to_bytes()
    assert [vars(t.fields) for t in model.subgraphs[0].tensors] == before
    assert model.to_bytes() == first


def test_payloads_are_views_of_the_bytes_that_were_read() -> None:
    (weight,) = [t for t in Model.from_bytes(SMALL).subgraphs[0].tensors if t.name == "w0"]
    assert np.shares_memory(weight.array(), np.frombuffer(SMALL, np.uint8))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_bytes_is_read(kind: type) -> None:
    assert Model.from_bytes(kind(SMALL)).to_bytes() == Model.from_bytes(SMALL).to_bytes()


def test_payloads_outside_of_the_flatbuffer_are_brought_inside() -> None:
    inside = schema.ModelT.InitFromPackedBuf(SMALL, 0)
    outside = packed_outside(inside)
    assert schema.Model.GetRootAs(outside, 0).Buffers(1).DataLength() == 0
    saved = Model.from_bytes(outside).to_bytes()
    assert tree(saved) == tree(SMALL)
    assert saved == Model.from_bytes(SMALL).to_bytes()
    assert outputs(saved) == outputs(outside)


def custom_op_model() -> schema.ModelT:
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    graph.op(schema.BuiltinOperator.CUSTOM, [x], [y], custom=b"Unheard")
    graph.ends([x], [y])
    return model


def test_custom_options_are_kept() -> None:
    model = custom_op_model()
    model.subgraphs[0].operators[0].customOptions = np.arange(7, dtype=np.uint8)
    data = packed(model)
    assert tree(Model.from_bytes(data).to_bytes()) == tree(data)


def test_large_custom_options_are_brought_inside() -> None:
    model = custom_op_model()
    options = np.arange(250, dtype=np.uint8)
    operator = model.subgraphs[0].operators[0]
    operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize = 2**40, options.size
    operator.largeCustomOptionsOffset = len(packed(model))
    data = packed(model) + options.tobytes()
    saved = Model.from_bytes(data).to_bytes()
    assert tree(saved) == tree(data)
    written = schema.ModelT.InitFromPackedBuf(saved, 0).subgraphs[0].operators[0]
    assert written.customOptions.tolist() == options.tolist()
    assert (written.largeCustomOptionsOffset, written.largeCustomOptionsSize) == (0, 0)


def several_of_everything() -> schema.ModelT:
    """Two subgraphs with a signature each, metadata, a description, an optional input and a variable."""
    model = new_model()
    for g in range(2):
        graph = Graph(model)
        x, y = graph.tensor(f"x{g}", (1, 16), signature=(-1, 16)), graph.tensor(f"y{g}", (1, 8))
        w = graph.constant(f"w{g}", RNG.random((8, 16)).astype(np.float32))
        graph.tensor("state", (1, 1), variable=True)
        graph.fully_connected(x, w, -1, y)
        graph.ends([x], [y])
        graph.subgraph.name = f"graph {g}".encode()
    model.signatureDefs = [
        signature("double", {"in": 0}, {"out": 1}, subgraph=1),
        signature("single", {"a": 0}, {"b": 1}, subgraph=0),
    ]
    model.description = "größer".encode()
    model.buffers.append(schema.BufferT(data=np.frombuffer(b"1.2.3", np.uint8)))
    model.metadata = [schema.MetadataT(name=b"min_runtime_version", buffer=len(model.buffers) - 1)]
    model.metadataBuffer = [len(model.buffers) - 1]
    return model


def test_subgraphs_signatures_and_metadata_are_kept() -> None:
    data = packed(several_of_everything())
    model = Model.from_bytes(data)
    assert [s.inputs[0].tensor.name for s in model.signatures or []] == ["x1", "x0"]
    assert model.subgraphs[0].operators[0].inputs[2] is None
    assert tree(model.to_bytes()) == tree(data)


def test_absent_and_empty_vectors_stay_what_they_are() -> None:
    for nothing in (None, []):
        model = custom_op_model()
        model.signatureDefs = model.metadata = model.metadataBuffer = nothing
        model.subgraphs[0].operators[0].intermediates = nothing
        data = packed(model)
        assert tree(Model.from_bytes(data).to_bytes()) == tree(data)


def test_buffers_and_codes_that_the_file_never_used_stay() -> None:
    model = several_of_everything()
    model.buffers.insert(1, schema.BufferT(data=np.arange(40, dtype=np.uint8)))
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer += tensor.buffer > 0
    model.metadata[0].buffer += 1
    model.metadataBuffer[0] += 1
    model.operatorCodes.append(schema.OperatorCodeT(builtinCode=schema.BuiltinOperator.ADD, version=2))
    data = packed(model)
    assert tree(Model.from_bytes(data).to_bytes()) == tree(data)


def test_buffers_and_codes_that_an_edit_leaves_behind_go() -> None:
    model = Model.from_bytes(packed(several_of_everything()))
    graph = model.subgraphs[1]
    graph.operators.clear()
    graph.tensors = [t for t in graph.tensors if t.name != "w1"]
    saved = model.to_bytes()
    again = Model.from_bytes(saved)
    assert (len(again.buffers), len(again.operator_codes)) == (len(model.buffers) - 1, 1)
    assert len(saved) < len(packed(several_of_everything())) - 8 * 16 * 4
    assert [entry.tensor.name for s in again.signatures or [] for entry in s.outputs] == ["y1", "y0"]


def test_tensors_that_share_a_payload_share_it_after_saving() -> None:
    model = several_of_everything()
    model.subgraphs[1].tensors[2].buffer = model.subgraphs[0].tensors[2].buffer
    saved = Model.from_bytes(packed(model)).to_bytes()
    again = Model.from_bytes(saved)
    assert again.subgraphs[0].tensors[2].buffer is again.subgraphs[1].tensors[2].buffer


def channel_scales(copies: int) -> tuple[bytes, schema.ModelT]:
    model = new_model()
    graph = Graph(model)
    scales = np.linspace(1, 2, 500)
    for i in range(copies):
        graph.constant(f"w{i}", np.zeros((500, 1), np.int8), scale=scales)
    graph.ends([], [])
    return Model.from_bytes(packed(model)).to_bytes(), model


def test_equal_quantization_is_written_once() -> None:
    one, _ = channel_scales(1)
    two, model = channel_scales(2)
    assert len(two) - len(one) < 500 + 200  # the second payload and its tables, no 12 bytes a channel
    first, second = Model.from_bytes(two).subgraphs[0].tensors
    assert first.quantization is not second.quantization
    expected = plain_quantization(model.subgraphs[0].tensors[0].quantization)
    assert plain_quantization(first.quantization) == expected
    assert plain_quantization(second.quantization) == expected


def plain_quantization(parameters: schema.QuantizationParametersT) -> tuple[list[float], list[int], int]:
    return list(parameters.scale), list(parameters.zeroPoint), parameters.quantizedDimension


def test_quantization_that_differs_in_one_value_stays_apart() -> None:
    model = Model.from_bytes(channel_scales(2)[0])
    second = model.subgraphs[0].tensors[1].quantization
    second.scale = np.array(second.scale)
    second.scale[-1] = 7
    first, second = Model.from_bytes(model.to_bytes()).subgraphs[0].tensors
    assert (first.quantization.scale[-1], second.quantization.scale[-1]) == (2, 7)


def test_tensors_that_blockwise_quantization_names_are_found_again_after_an_edit() -> None:
    model = new_model()
    graph = Graph(model)
    names = ("goes", "stays", "scales", "zero points", "weight")
    for name in names:
        graph.constant(name, np.zeros((4, 4), np.int8))
    details = schema.BlockwiseQuantizationT(scales=2, zeroPoints=3, blockSize=4)
    kind = schema.QuantizationDetails.BlockwiseQuantization
    model.subgraphs[0].tensors[4].quantization = schema.QuantizationParametersT(details=details, detailsType=kind)
    graph.ends([], [])
    data = packed(model)
    assert tree(Model.from_bytes(data).to_bytes()) == tree(data)
    read = Model.from_bytes(data)
    del read.subgraphs[0].tensors[0]
    weight = Model.from_bytes(read.to_bytes()).subgraphs[0].tensors[3]
    assert weight.block_scales is not None
    assert weight.block_zero_points is not None
    assert (weight.block_scales.name, weight.block_zero_points.name) == ("scales", "zero points")
    assert weight.quantization.details.scales == 1


def test_operator_code_is_found_or_added_by_its_exact_version() -> None:
    model = Model.from_bytes(SMALL)
    present = model.operator_codes[0]
    assert model.operator_code(schema.BuiltinOperator.FULLY_CONNECTED, 1) is present
    added = model.operator_code(schema.BuiltinOperator.FULLY_CONNECTED, 8)
    assert added is not present
    assert model.operator_code(schema.BuiltinOperator.FULLY_CONNECTED, 8) is added


def test_operator_code_over_127_is_marked_in_the_deprecated_byte() -> None:
    code = Model.from_bytes(SMALL).operator_code(schema.BuiltinOperator.STABLEHLO_ADD, 1)
    assert (code.fields.builtinCode, code.fields.deprecatedBuiltinCode) == (schema.BuiltinOperator.STABLEHLO_ADD, 127)
