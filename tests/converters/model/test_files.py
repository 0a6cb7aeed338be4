"""Files of any size: mapped, written piece by piece, payloads behind the flatbuffer where it cannot hold them."""

import io
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from model_trees import tree
from models_in_memory import Graph, mlp, new_model, packed

from sparsetool_converters.errors import ModelFormatError, OutputError
from sparsetool_converters.model import Model
from sparsetool_converters.model.pieces import PieceBuilder
from sparsetool_converters.model.writer import model_pieces

RNG = np.random.default_rng(0)
WEIGHTS = [RNG.random((40, 33)), RNG.random((20, 40)), RNG.random((3, 20))]
SMALL = mlp(WEIGHTS, [RNG.random(40), RNG.random(20), None])
LIMIT = 4096  # bytes of a flatbuffer, in place of 2 GiB


def with_behind(model: Model) -> bytes:
    return b"".join(model_pieces(model, limit_bytes=LIMIT))


def run(**source: object) -> bytes:
    interpreter = Interpreter(**source, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(given["index"], np.linspace(-1, 1, 33, dtype=np.float32)[None])
    interpreter.invoke()
    return interpreter.get_tensor(wanted["index"]).tobytes()


def test_model_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(SMALL)
    assert Model.from_file(path).to_bytes() == Model.from_bytes(SMALL).to_bytes()


def test_payloads_are_views_of_the_mapped_file(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(SMALL)
    model = Model.from_file(path)
    with path.open("r+b") as file:  # a view of the file sees it change, a copy would not
        file.seek(SMALL.index(WEIGHTS[0].astype(np.float32).tobytes()))
        file.write(np.float32(7).tobytes())
    (weight,) = [t for t in model.subgraphs[0].tensors if t.name == "w0"]
    assert weight.array()[0, 0] == 7
    assert not weight.array().flags.writeable


def test_write_and_save_give_the_bytes_of_the_model(tmp_path: Path) -> None:
    model, file = Model.from_bytes(SMALL), io.BytesIO()
    assert model.write(file) == model.save(tmp_path / "model.tflite") == len(model.to_bytes())
    assert file.getvalue() == (tmp_path / "model.tflite").read_bytes() == model.to_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]


def test_model_can_be_saved_over_the_file_that_it_was_read_from(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(SMALL)
    model = Model.from_file(path)
    model.save(path)
    assert path.read_bytes() == model.to_bytes() == Model.from_bytes(SMALL).to_bytes()


def test_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    model = Model.from_bytes(SMALL)
    with pytest.raises(OutputError, match="cannot be written"):
        model.save(tmp_path / "no folder" / "model.tflite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        model.save(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(("data", "problem"), [(None, "cannot be read: No such file"), (b"", "is empty")])
def test_file_that_is_no_model_is_refused_by_its_path(data: bytes | None, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ModelFormatError, match=f"^{path}: {problem}"):
        Model.from_file(path)


def test_payloads_that_one_flatbuffer_cannot_hold_stand_behind_it(tmp_path: Path) -> None:
    model = Model.from_bytes(SMALL)
    data = with_behind(model)
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    buffers = schema.ModelT.InitFromPackedBuf(data, 0).buffers
    outside = [b for b in buffers if b.offset]
    assert {b.size for b in outside} == {40 * 33 * 4, 20 * 40 * 4}
    assert [b.data is None for b in buffers] == [b.offset > 0 or i == 0 for i, b in enumerate(buffers)]
    assert all(b.offset % 16 == 0 for b in outside)
    assert len(data) == outside[-1].offset + outside[-1].size
    assert tree(data) == tree(model.to_bytes())
    assert run(model_path=str(path)) == run(model_content=SMALL)
    again = Model.from_file(path)
    assert with_behind(again) == data
    assert again.to_bytes() == model.to_bytes()


def test_payload_of_metadata_stays_where_the_runtime_looks_for_it() -> None:
    model = schema.ModelT.InitFromPackedBuf(SMALL, 0)
    model.buffers.append(schema.BufferT(data=np.arange(2000).astype(np.uint8)))
    model.metadata = [schema.MetadataT(name=b"labels", buffer=len(model.buffers) - 1)]
    data = with_behind(Model.from_bytes(packed(model)))
    assert schema.Model.GetRootAs(data, 0).Buffers(len(model.buffers) - 1).DataLength() == 2000
    assert tree(data) == tree(Model.from_bytes(packed(model)).to_bytes())


def test_large_custom_options_stand_behind_the_flatbuffer_and_small_ones_inside() -> None:
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4))
    sizes = (1023, 1024, 3000, 10)
    for size in sizes:
        graph.op(schema.BuiltinOperator.CUSTOM, [x], [y], custom=b"Unheard")
        graph.subgraph.operators[-1].customOptions = np.arange(size).astype(np.uint8)
    graph.ends([x], [y])
    read = Model.from_bytes(packed(model))
    data = with_behind(read)
    operators = schema.ModelT.InitFromPackedBuf(data, 0).subgraphs[0].operators
    assert [op.largeCustomOptionsSize for op in operators] == [0, 1024, 3000, 0]
    assert [op.largeCustomOptionsOffset % 16 for op in operators] == [0] * 4
    assert [op.customOptions is None for op in operators] == [False, True, True, False]
    assert tree(data) == tree(packed(model))
    assert with_behind(Model.from_bytes(data)) == data


def test_tables_that_one_flatbuffer_cannot_hold_are_refused() -> None:
    model = new_model()
    graph = Graph(model)
    for i in range(200):
        graph.tensor(f"tensor {i}", (1, 2, 3))
    graph.ends([], [])
    with pytest.raises(ModelFormatError, match="tables do not fit one flatbuffer of 4,096 bytes"):
        with_behind(Model.from_bytes(packed(model)))


def test_tables_larger_than_foreseen_move_and_payloads_keep_their_places() -> None:
    model = schema.ModelT.InitFromPackedBuf(SMALL, 0)
    for i in range(3000):  # behind the payloads in the order of packing
        model.metadata = [*(model.metadata or []), schema.MetadataT(name=b"n" * 50 + str(i).encode(), buffer=0)]
    data = packed(model)
    read = Model.from_bytes(data)
    assert len(data) > read.buffers[1].nbytes + 2**16
    assert tree(read.to_bytes()) == tree(data)


def test_room_that_is_left_is_not_touched() -> None:
    builder = PieceBuilder(1000)
    payload = np.arange(1000).astype(np.uint8)
    builder.Finish(builder.leave_room(payload))
    pieces = list(builder.pieces())
    assert sum(len(piece) for piece in pieces) < 1100
    assert [piece.obj is payload for piece in pieces] == [False, True, False]
    assert bytes(builder.Bytes).count(b"\1\2\3") == 0
