"""Whatever the bytes are: a model, or one line that says what is wrong with them, and soon."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from model_trees import tree
from models_in_memory import Graph, mlp, new_model, packed, packed_outside, signature

from sparsetool_converters.errors import EncodingError, ModelFormatError, SparseToolError
from sparsetool_converters.model import Model
from sparsetool_converters.passes import Canonicalize, Compact, Densify, EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT
from sparsetool_converters.weights import weight_sites

RNG = np.random.default_rng(0)


def sparse(rows: int, columns: int) -> np.ndarray:
    return RNG.random((rows, columns)) * (RNG.random((rows, columns)) < 0.1)


SMALL = mlp([sparse(8, 16), sparse(4, 8)], [RNG.random(8), None])


def small_encoded() -> bytes:
    """A sparse weight read natively and one behind DENSIFY, a signature, metadata and quantization."""
    model = new_model()
    graph = Graph(model)
    x, h = graph.tensor("x", (1, 64)), graph.tensor("h", (1, 32))
    y = graph.tensor("y", (1, 32), signature=(-1, 32))
    w0 = graph.constant("w0", sparse(32, 64).astype(np.float32))
    w1 = graph.constant("w1", (sparse(32, 32) * 100).astype(np.int8), scale=np.linspace(1, 2, 32))
    graph.fully_connected(x, w0, -1, h)
    graph.fully_connected(h, graph.dequantized(w1), -1, y)
    graph.ends([x], [y])
    model.signatureDefs = [signature("main", {"x": x}, {"y": y})]
    model.metadata = [schema.MetadataT(name=b"note", buffer=0)]
    read = Model.from_bytes(packed(model))
    plan = make_plan(read, LITERT)
    assert len(plan.encoded()) == 2
    EncodeSparse(plan)(read)
    return read.to_bytes()


ENCODED = small_encoded()


def ends_with_a_string() -> bytes:
    """The name of the custom operator is the last thing in the file."""
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1,)), graph.tensor("y", (1,))
    graph.op(schema.BuiltinOperator.CUSTOM, [x], [y], custom=b"AnOperatorNobodyHeardOf")
    graph.ends([x], [y])
    data = packed(model)
    assert data.rstrip(b"\0").endswith(b"HeardOf")
    return data


def is_one_line(error: SparseToolError) -> bool:
    return "\n" not in str(error) and 0 < len(str(error)) < 400


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"TFL3", "is not a .tflite file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not a .tflite file"),
        (b"\x18\0\0\0TFL3", "the root offset 24 points outside of 8 bytes"),
        (b"\xff\xff\xff\xffTFL3" + b"\0" * 64, "the root offset 4294967295"),
        (b"\x08\0\0\0TFL3" + b"\0" * 64, "has schema version 0"),
        (b"\x08\0\0\0TFL3" + b"\x7f" * 64, "is damaged or cut off"),
    ],
    ids=["empty", "four bytes", "png", "header alone", "root far off", "zeros", "nonsense"],
)
def test_bytes_that_are_no_model_are_told_apart(data: bytes, problem: str) -> None:
    with pytest.raises(ModelFormatError, match=problem) as caught:
        Model.from_bytes(data, where="file.tflite")
    assert str(caught.value).startswith("file.tflite: ")
    assert is_one_line(caught.value)


def check_cut(data: bytes, length: int) -> None:
    """A file that is cut is refused, unless only padding is gone."""
    refusals: list[SparseToolError] = []
    try:
        saved = Model.from_bytes(data[:length]).to_bytes()
    except ModelFormatError as error:
        refusals.append(error)
    else:
        assert tree(saved) == tree(data), length
    assert all(map(is_one_line, refusals))


@pytest.mark.parametrize("data", [SMALL, ENCODED, ends_with_a_string()], ids=["dense", "encoded", "string"])
def test_model_cut_at_any_length_is_refused_or_whole(data: bytes) -> None:
    for length in range(len(data)):
        check_cut(data, length)


def test_cut_of_payloads_outside_of_the_flatbuffer_is_refused() -> None:
    outside = packed_outside(schema.ModelT.InitFromPackedBuf(SMALL, 0))
    with pytest.raises(ModelFormatError, match=r"is cut off: a buffer lies at \d+ to \d+, the file has \d+ bytes"):
        Model.from_bytes(outside[:-1])


def test_buffer_with_two_payloads_is_refused() -> None:
    model = schema.ModelT.InitFromPackedBuf(SMALL, 0)
    model.buffers[1].offset, model.buffers[1].size = 16, 4
    with pytest.raises(ModelFormatError, match="has a payload in the flatbuffer and one behind it"):
        Model.from_bytes(packed(model))


def test_name_that_is_no_text_is_shown_in_one_short_line() -> None:
    (weight,) = [t for t in Model.from_bytes(SMALL).subgraphs[0].tensors if t.name == "w0"]
    weight.fields.name, weight.shape = b"\n\x00\xff" * 1000, (1, 1)
    with pytest.raises(ModelFormatError, match=r"^\\n\\x00\\ufffd\\n.*\.\.\.: payload has 512 bytes") as caught:
        weight.array()
    assert is_one_line(caught.value)


def test_published_model_cut_anywhere_is_refused_or_whole(published_model: Callable[[str], Path]) -> None:
    data = published_model("okay_nabu.tflite").read_bytes()
    for length in np.linspace(0, len(data) - 1, 200).astype(int):
        check_cut(data, int(length))


def use(data: bytes) -> None:
    """All that is done with a model: every step gives a result or one of our errors."""
    refusals: list[SparseToolError] = []
    try:
        model = Model.from_bytes(data)
        weight_sites(model)
        Densify()(model)
        Canonicalize()(model)
        Compact()(model)
        EncodeSparse(make_plan(model, LITERT))(model)
        Model.from_bytes(model.to_bytes())
    except SparseToolError as error:
        refusals.append(error)
    assert all(map(is_one_line, refusals))


@pytest.mark.parametrize("data", [SMALL, ENCODED], ids=["dense", "encoded"])
def test_flipped_byte_in_the_first_64_gives_a_result_or_one_error(data: bytes) -> None:
    for position in range(64):
        for flip in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[position] ^= flip
            use(bytes(changed))


# What a byte is turned into: a bit flipped, and the values that make lengths and offsets extreme.
CHANGES = st.sampled_from([0x01, 0x02, 0x04, 0x10, 0x40, 0x80, 0xFF])


@settings(max_examples=500, deadline=None)
@given(
    data=st.sampled_from([SMALL, ENCODED]),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), CHANGES), min_size=1, max_size=4),
)
def test_flipped_bytes_anywhere_give_a_result_or_one_error(data: bytes, flips: list[tuple[float, int]]) -> None:
    changed = bytearray(data)
    for place, flip in flips:
        changed[int(place * len(data))] ^= flip
    use(bytes(changed))


def with_vector_length(data: bytes, length: int, value: int) -> bytes:
    """Replace the length of the first vector of `length` entries behind byte 32."""
    at = data.index(struct.pack("<I", length), 32)
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


@pytest.mark.parametrize("claimed", [2**31 - 1, 2**31, 2**32 - 1])
def test_vectors_that_claim_billions_of_entries_are_refused_at_once(claimed: int) -> None:
    model = schema.ModelT.InitFromPackedBuf(SMALL, 0)
    n_buffers = 77
    model.buffers += [schema.BufferT() for _ in range(n_buffers - len(model.buffers))]
    data = packed(model)
    with pytest.raises(ModelFormatError, match="vectors claim more entries than"):
        Model.from_bytes(with_vector_length(data, n_buffers, claimed))


def test_vectors_shared_so_that_tables_multiply_are_refused_at_once() -> None:
    """A thousand subgraphs that all point at one vector of a thousand tensors are a million tensors."""

    class Shared:
        def __init__(self, table: object) -> None:
            self.table, self.offset = table, None

        def Pack(self, builder: object) -> object:  # noqa: N802 (the generated schema's own name)
            self.offset = self.offset or self.table.Pack(builder)
            return self.offset

    model = new_model()
    graph = Graph(model)
    for i in range(1000):
        graph.tensor(f"t{i}", (1,))
    shared = Shared(graph.subgraph)
    model.subgraphs = [shared] * 1000
    with pytest.raises(ModelFormatError, match="vectors claim more entries than"):
        Model.from_bytes(packed(model))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda m: setattr(m, "version", 2), "schema version 2"),
        (lambda m: setattr(m, "subgraphs", []), "has no subgraph"),
        (lambda m: setattr(m.subgraphs[0].tensors[0], "buffer", 99), "buffer 99 of 4 does not exist"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "opcodeIndex", 9), "operator code 9 of 2"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "inputs", [0, 1, -2]), "input tensor -2 of 6"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "outputs", [6]), "output tensor 6 of 6"),
        (lambda m: setattr(m.subgraphs[0], "outputs", [77]), "subgraph output 77"),
        (lambda m: setattr(m, "metadataBuffer", [5]), "metadata buffer 5 of 4"),
        (lambda m: setattr(m, "metadata", [schema.MetadataT(name=b"n", buffer=4)]), "metadata buffer 4 of 4"),
        (lambda m: setattr(m, "signatureDefs", [signature("s", {"x": 6}, {})]), "signature tensor 6 of 6"),
        (lambda m: setattr(m, "signatureDefs", [signature("s", {}, {}, 1)]), "signature subgraph 1 of 1"),
    ],
)
def test_indices_that_lead_nowhere_are_refused(change: Callable[[schema.ModelT], None], problem: str) -> None:
    model = schema.ModelT.InitFromPackedBuf(SMALL, 0)
    change(model)
    with pytest.raises(ModelFormatError, match=problem):
        Model.from_bytes(packed(model))


@pytest.mark.parametrize("shape", [(-1, -128), (-8, -16), (2**31 - 1,) * 5, (8, 17), (1,) * 70, ()])
def test_array_of_a_shape_that_the_payload_does_not_have_is_refused(shape: tuple[int, ...]) -> None:
    (weight,) = [t for t in Model.from_bytes(SMALL).subgraphs[0].tensors if t.name == "w0"]
    weight.shape = shape
    with pytest.raises(ModelFormatError, match=r"^w0: ") as caught:
        weight.array()
    assert is_one_line(caught.value)


def test_array_of_elements_without_a_size_is_refused() -> None:
    (weight,) = [t for t in Model.from_bytes(SMALL).subgraphs[0].tensors if t.name == "w0"]
    weight.fields.type = schema.TensorType.STRING
    with pytest.raises(ModelFormatError, match="type STRING has no elements of whole bytes"):
        weight.array()


def test_array_of_elements_under_a_byte_that_the_payload_does_not_have_is_refused() -> None:
    (weight,) = [t for t in Model.from_bytes(SMALL).subgraphs[0].tensors if t.name == "w0"]
    weight.fields.type = schema.TensorType.INT4
    with pytest.raises(ModelFormatError, match=r"payload has 512 bytes; INT4 \[8, 16\] takes 64"):
        weight.array()


def test_array_of_an_activation_is_refused() -> None:
    with pytest.raises(ModelFormatError, match="has no constant payload"):
        Model.from_bytes(SMALL).subgraphs[0].tensors[0].array()


def sparse_tensor() -> object:
    (weight,) = [t for t in Model.from_bytes(ENCODED).subgraphs[0].tensors if t.is_sparse and t.name == "w0"]
    return weight


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: setattr(t.fields.sparsity.dimMetadata[0], "format", 7), "formats of levels must be 0"),
        (lambda t: setattr(t.fields.sparsity, "dimMetadata", None), "levels"),
        (lambda t: setattr(t.fields.sparsity, "traversalOrder", None), "0 levels need as many"),
        (lambda t: setattr(t.fields.sparsity, "traversalOrder", np.array([5, -1])), "must be a permutation"),
        (lambda t: setattr(t.fields.sparsity.dimMetadata[1], "arrayIndices", None), "indices of compressed level"),
        (lambda t: setattr(t, "shape", (32, 63)), "must lie in 0..62"),
        (lambda t: setattr(t, "shape", (2**31 - 1, 64)), "more than the"),
        (lambda t: setattr(t, "shape", (1,) * 60), "this layout is for rank 2"),
        (lambda t: setattr(t.fields, "type", schema.TensorType.INT8), "values"),
    ],
)
def test_sparse_metadata_that_contradict_themselves_are_refused(change: Callable[[object], None], problem: str) -> None:
    weight = sparse_tensor()
    change(weight)
    with pytest.raises(EncodingError, match=f"^w0: .*{problem}") as caught:
        weight.array()
    assert is_one_line(caught.value)


def test_sparse_payload_cut_inside_an_element_is_refused() -> None:
    weight = sparse_tensor()
    weight.buffer.data = weight.buffer.data[:-1]
    with pytest.raises(ModelFormatError, match="is cut inside an element"):
        weight.array()
