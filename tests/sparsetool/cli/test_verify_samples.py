"""What two models are run on: pictures, ragged samples, several signatures, sequences; and where they part."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed, signature

from sparsetool_converters.model import Buffer, Model

RNG = np.random.default_rng(12)
KERNELS = {"default", "no-delegates", "reference"}


def edited(data, name, change, subgraph=0):
    model = Model.from_bytes(data)
    (tensor,) = (t for t in model.subgraphs[subgraph].tensors if t.name == name)
    values = tensor.buffer.data.view(tensor.dtype()).copy()
    change(values)
    tensor.buffer = Buffer(values.view(np.uint8))
    return model.to_bytes()


def doubled(values):
    values *= 2


@pytest.fixture
def verified(sparsetool, tmp_path):
    """Runs `verify` on two models and returns its record, whatever the verdict."""

    def verify(reference, candidate, *options):
        for name, data in (("reference.tflite", reference), ("candidate.tflite", candidate)):
            (tmp_path / name).write_bytes(data)
        done = sparsetool("verify", "reference.tflite", "candidate.tflite", "--json", *options)
        assert done.code in (0, 4), done.err
        assert done.json["exit_code"] == done.code
        return done.json

    return verify


def problems(record, kind="output"):
    return [f["problem"] for f in record["findings"] if f["kind"] == kind]


# Pictures.


def of_pictures():
    """Gray pictures of 4x4 pixels: half of each pixel."""
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 4, 4, 1)), graph.tensor("y", (1, 4, 4, 1))
    half = graph.constant("half", np.full(1, 0.5, np.float32))
    graph.op(schema.BuiltinOperator.MUL, [x, half], [y], schema.MulOptionsT())
    graph.ends([x], [y])
    return packed(model)


def test_a_folder_of_pictures(verified, sparsetool, tmp_path):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "pictures").mkdir()
    image.fromarray(np.full((9, 9), 255, np.uint8)).save(tmp_path / "pictures" / "a.png")
    image.fromarray(np.full((3, 5, 3), 51, np.uint8)).save(tmp_path / "pictures" / "b.jpg")
    record = verified(of_pictures(), of_pictures(), "--samples", "pictures")
    assert record["verdict"] == "pass"
    assert record["data"]["samples"] == 2
    assert record["data"]["name"] == "pictures"
    record = verified(of_pictures(), edited(of_pictures(), "half", doubled), "--samples", "pictures")
    assert "0.5 became 1.0 at [0, 0, 0, 0, 0]" in problems(record)[0]
    (tmp_path / "pictures" / "b.jpg").write_bytes(b"none")
    line = sparsetool("verify", "reference.tflite", "reference.tflite", "--samples", "pictures").error(2)
    assert "b.jpg: cannot be read as a picture" in line


# Samples of several shapes.


def of_any_length(operator=schema.BuiltinOperator.ABS):
    model = new_model()
    graph = Graph(model)
    x, y = (graph.tensor(name, (1, 1), signature=(1, -1)) for name in "xy")
    graph.op(operator, [x], [y])
    graph.ends([x], [y])
    return packed(model)


@pytest.mark.parametrize("given", ["folder", "function"])
def test_samples_of_several_shapes_run_one_after_the_other(verified, tmp_path, given):
    lengths = [3, 3, 5, 1]
    if given == "folder":
        (tmp_path / "folder").mkdir()
        for number, length in enumerate(lengths):
            np.save(tmp_path / "folder" / f"{number}.npy", np.arange(length, dtype=np.float32)[np.newaxis] + 1)
    lines = ("import numpy as np", "def function():", f"    for length in {lengths}:")
    last = "        yield np.arange(length, dtype=np.float32)[np.newaxis] + 1\n"
    (tmp_path / "data.py").write_text("\n".join((*lines, last)))
    samples = {"folder": "folder", "function": "data.py:function"}[given]
    record = verified(of_any_length(), of_any_length(), "--samples", samples)
    assert record["verdict"] == "pass", record["findings"]
    assert {o["kernel_set"] for o in record["outputs"]} == KERNELS
    assert all((o["identical"], o["samples"]) == (True, 4) for o in record["outputs"])
    record = verified(of_any_length(), of_any_length(schema.BuiltinOperator.NEG), "--samples", samples)
    assert record["verdict"] == "fail"
    assert [round(o["max_abs_error"]) for o in record["outputs"]] == [10, 10, 10]


def test_a_shape_that_the_model_does_not_take_is_refused(sparsetool, tmp_path):
    (tmp_path / "model.tflite").write_bytes(of_any_length())
    (tmp_path / "folder").mkdir()
    for number, shape in enumerate([(1, 3), (2, 3)]):
        np.save(tmp_path / "folder" / f"{number}.npy", np.ones(shape, np.float32))
    line = sparsetool("verify", "model.tflite", "model.tflite", "--samples", "folder").error(2)
    assert "takes samples of shape" in line


# Several inputs.


def difference(left, right):
    model = new_model()
    graph = Graph(model)
    one, other, out = (graph.tensor(name, (1, 3)) for name in (left, right, "out"))
    graph.op(schema.BuiltinOperator.SUB, [one, other], [out], schema.SubOptionsT())
    graph.ends([one, other], [out])
    return packed(model)


def test_inputs_of_other_names_get_the_samples_of_their_places(verified, tmp_path):
    np.savez(tmp_path / "samples.npz", b=np.zeros((2, 1, 3), np.float32), a=np.ones((2, 1, 3), np.float32))
    record = verified(difference("a", "b"), difference("c", "d"), "--samples", "samples.npz")
    assert {f["kind"] for f in record["findings"]} == {"structure"}
    assert [o["identical"] for o in record["outputs"]] == [True, True, True]


# Several signatures.


def of_two_signatures():
    """`first` multiplies u by 2, `second` adds 3 to v; each in a subgraph of its own."""
    model = new_model()
    operators = (schema.BuiltinOperator.MUL, schema.MulOptionsT), (schema.BuiltinOperator.ADD, schema.AddOptionsT)
    for (operator, options), names, number in zip(operators, ("uy", "vz"), (2.0, 3.0), strict=True):
        graph = Graph(model)
        x, y = (graph.tensor(name, (1, 4)) for name in names)
        constant = graph.constant(f"{names[0]}/constant", np.full(1, number, np.float32))
        graph.op(operator, [x, constant], [y], options())
        graph.ends([x], [y])
    model.signatureDefs = [signature("first", {"u": 0}, {"y": 1}, 0), signature("second", {"v": 0}, {"z": 1}, 1)]
    return packed(model)


def test_each_signature_is_called(verified):
    record = verified(of_two_signatures(), of_two_signatures())
    assert record["verdict"] == "pass", record["findings"]
    called = {(o["signature"], o["kernel_set"]) for o in record["outputs"]}
    assert called == {(key, kernels) for key in ("first", "second") for kernels in KERNELS}


def test_a_fault_that_only_the_second_signature_meets(verified, tmp_path):
    np.savez(
        tmp_path / "samples.npz",
        **{"first/u": np.ones((3, 1, 4), np.float32), "second/v": np.full((5, 1, 4), 2, np.float32)},
    )
    faulty = edited(of_two_signatures(), "v/constant", doubled, subgraph=1)
    record = verified(of_two_signatures(), faulty, "--samples", "samples.npz", "--bisect")
    assert {(o["signature"], o["identical"], o["samples"]) for o in record["outputs"]} == {
        ("first", True, 3),
        ("second", False, 5),
    }
    assert len(problems(record)) == 3
    assert all("by signature second on 5 samples" in problem for problem in problems(record))
    assert "5.0 became 8.0 at [0, 0, 0]" in problems(record)[0]
    assert [f["where"] for f in record["findings"] if f["kind"] == "weight"] == ["v/constant"]
    assert record["bisected"] is None
    assert any("outputs of signature second differ" in note for note in record["notes"])


def test_a_signature_without_samples_is_run_on_random_ones_and_that_is_told(verified, tmp_path):
    np.savez(tmp_path / "samples.npz", u=np.ones((3, 1, 4), np.float32))
    record = verified(of_two_signatures(), of_two_signatures(), "--samples", "samples.npz")
    assert record["verdict"] == "pass"
    assert any("signature second was run on random samples" in note for note in record["notes"])
    assert {o["signature"] for o in record["outputs"]} == {"first", "second"}


# Sequences.


def running_sum(kept=1.0):
    """out = x + kept * out of the step before."""
    model = new_model()
    graph = Graph(model)
    x = graph.tensor("x", (1, 1))
    w, recurrent = (graph.constant(n, np.full((1, 1), v, np.float32)) for n, v in (("w", 1.0), ("recurrent", kept)))
    bias = graph.constant("bias", np.zeros(1, np.float32))
    state, out = graph.tensor("state", (1, 1), variable=True), graph.tensor("out", (1, 1))
    graph.op(schema.BuiltinOperator.RNN, [x, w, recurrent, bias, state], [out], schema.RNNOptionsT())
    graph.ends([x], [out])
    return packed(model)


def test_a_state_that_goes_wrong_at_the_fifth_step(verified, tmp_path):
    steps = np.array([0, 0, 0, 1, 0, 1], np.float32)[:, np.newaxis, np.newaxis]
    np.save(tmp_path / "steps.npy", steps)
    record = verified(running_sum(), running_sum(), "--samples", "steps.npy")
    assert record["verdict"] == "pass"
    assert "the reference keeps state, so the samples are one sequence" in record["notes"]
    record = verified(running_sum(), running_sum(0.5), "--samples", "steps.npy")
    assert record["verdict"] == "fail"
    assert len(problems(record)) == 3
    assert all("first: 1.0 became 0.5 at [4, 0, 0]" in problem for problem in problems(record))


# Where they part.


def test_bisect_names_the_operator(verified):
    weights = [RNG.uniform(0.5, 1, (8, 8)).astype(np.float32) for _ in range(4)]
    dense = mlp(weights)
    record = verified(dense, edited(dense, "w2", doubled), "--bisect")
    bisected = record["bisected"]
    assert (bisected["operator"], bisected["op"], bisected["tensor"]) == (2, "FULLY_CONNECTED", "h2")
    assert bisected["weights"] == ["w2"]
    assert bisected["kernel_set"] in KERNELS
    assert verified(dense, dense, "--bisect")["bisected"] is None
