"""Unpacking is the inverse of encoding, whoever encoded and whichever way the weights are read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from kernel_sets import RESOLVERS, isolated_runs, run_here
from models_in_memory import Graph, mlp, new_model, packed
from one_op_models import one_op, weight_for

from sparsetool.verify import FinishedRun
from sparsetool_converters.errors import EncodingError
from sparsetool_converters.model import Buffer, Model, Tensor
from sparsetool_converters.model.sparsity_fields import write_sparsity
from sparsetool_converters.passes import Change, Densify, EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.sparsity import BlockFormat, DimensionFormat, block_csr, csr, encode
from sparsetool_converters.targets import LITERT, Route, Target

DENSIFY_ONLY = Target(
    name="densify", rules=tuple(rule for rule in LITERT.rules if rule.route is Route.DENSIFY), hazards=()
)


def encoded(data: bytes, target: Target = DENSIFY_ONLY) -> Model:
    model = Model.from_bytes(data)
    plan = make_plan(model, target)
    assert plan.encoded()
    EncodeSparse(plan)(model)
    return Model.from_bytes(model.to_bytes())


def meaning(model: Model) -> object:
    """Everything of the first subgraph that an interpreter sees, in the file's order."""

    def names(tensors: list[Tensor | None]) -> list[str]:
        return ["" if t is None else t.name for t in tensors]

    graph = model.subgraphs[0]
    return (
        [(t.name, t.shape, t.type_name, t.is_sparse, t.buffer.data is None) for t in graph.tensors],
        [t.array().tobytes() for t in graph.tensors if t.is_constant],
        [(op.name, names(op.inputs), names(op.outputs)) for op in graph.operators],
    )


MODELS = {
    "float32": one_op("CONV_2D", weight_for("CONV_2D", "float32")),
    "float16": one_op("CONV_2D", weight_for("CONV_2D", "float16"), dequantized=True),
    "int8": one_op("CONV_2D", weight_for("CONV_2D", "int8"), "int8"),
    "depthwise": one_op("DEPTHWISE_CONV_2D", weight_for("DEPTHWISE_CONV_2D", "int8"), "int8"),
    "layers": mlp([weight_for("", "float32", shape=(48, 48), seed=i) for i in range(3)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_dense_model_comes_back_from_encoding(name: str) -> None:
    model = encoded(MODELS[name])
    assert meaning(model) != meaning(Model.from_bytes(MODELS[name]))
    Densify()(model)
    assert meaning(Model.from_bytes(model.to_bytes())) == meaning(Model.from_bytes(MODELS[name]))
    # Beside those of the original: none, once nobody uses DENSIFY any more.
    assert "DENSIFY" not in [code.name for code in Model.from_bytes(model.to_bytes()).operator_codes]


def test_change_tells_the_bytes() -> None:
    model = encoded(MODELS["float32"])
    (stored,) = [t for t in model.subgraphs[0].tensors if t.is_sparse]
    stored_payload_bytes = stored.encoded().payload_bytes
    (change,) = Densify()(model)
    dense_bytes = weight_for("CONV_2D", "float32").nbytes
    assert change == Change(
        tensor="weight", what="stored dense", bytes_before=stored_payload_bytes, bytes_after=dense_bytes
    )


def test_model_without_densify_is_left_alone() -> None:
    model = Model.from_bytes(MODELS["float32"])
    assert Densify()(model) == []
    assert model.to_bytes() == Model.from_bytes(MODELS["float32"]).to_bytes()


def test_densify_of_what_is_computed_stays() -> None:
    model = encoded(MODELS["float32"])
    operator = model.subgraphs[0].operators[0]
    operator.inputs = [next(t for t in model.subgraphs[0].tensors if t.name == "x")]
    assert [change.tensor for change in Densify()(model)] == ["weight/sparse"]
    assert model.subgraphs[0].operators[0] is operator


def test_encoded_tensor_of_two_densify_gives_two_dense_ones() -> None:
    model = encoded(MODELS["float32"])
    graph = model.subgraphs[0]
    first = graph.operators[0]
    (stored,), (dense,) = first.inputs, first.outputs
    copy = Tensor(schema.TensorT(**{**vars(dense.fields), "name": b"copy"}), dense.buffer)
    graph.tensors.append(copy)
    graph.operators.insert(0, type(first)(first.fields, first.code, [stored], [copy]))
    assert [change.tensor for change in Densify()(model)] == ["copy", "weight"]
    assert np.array_equal(copy.array(), dense.array())
    assert stored not in graph.tensors


@pytest.mark.parametrize("where", ["inputs", "outputs"])
def test_encoded_tensor_that_callers_see_stays_in_the_model(where: str) -> None:
    model = encoded(MODELS["float32"])
    (stored,) = [t for t in model.subgraphs[0].tensors if t.is_sparse]
    getattr(model.subgraphs[0], where).append(stored)
    Densify()(model)
    assert stored in model.subgraphs[0].tensors
    assert Model.from_bytes(model.to_bytes())


@pytest.mark.parametrize("how", ["outputs", "intermediates", "block_scales"])
def test_encoded_tensor_that_anything_else_refers_to_stays_in_the_model(how: str) -> None:
    model = encoded(MODELS["float32"])
    graph = model.subgraphs[0]
    (stored,) = [t for t in graph.tensors if t.is_sparse]
    if how == "block_scales":
        kind = schema.QuantizationDetails.BlockwiseQuantization
        graph.tensors[0].fields.quantization = schema.QuantizationParametersT(
            details=schema.BlockwiseQuantizationT(scales=1), detailsType=kind
        )
        graph.tensors[0].block_scales = stored
    else:
        getattr(graph.operators[-1], how).append(stored)
    Densify()(model)
    assert stored in graph.tensors
    assert Model.from_bytes(model.to_bytes())


def test_more_output_than_allowed_is_refused_before_it_is_made() -> None:
    dense_bytes = weight_for("CONV_2D", "float32").nbytes
    assert Densify(max_output_bytes=dense_bytes)(encoded(MODELS["float32"]))
    with pytest.raises(EncodingError, match=r"takes 18,432 bytes unpacked, and 18,431 are left of the 18,431 allowed"):
        Densify(max_output_bytes=dense_bytes - 1)(encoded(MODELS["float32"]))


def test_what_is_allowed_is_for_all_weights_together() -> None:
    layer_bytes = 48 * 48 * 4
    assert len(Densify(max_output_bytes=3 * layer_bytes)(encoded(MODELS["layers"]))) == 3
    with pytest.raises(
        EncodingError, match=r"^w2/sparse: takes 9,216 bytes unpacked, and 9,215 are left of the 27,647"
    ):
        Densify(max_output_bytes=3 * layer_bytes - 1)(encoded(MODELS["layers"]))


def test_by_default_few_bytes_do_not_become_many() -> None:
    model = encoded(MODELS["float32"])
    (stored,) = [t for t in model.subgraphs[0].tensors if t.is_sparse]
    stored.shape = (2**12, 2**10 + 1)
    with pytest.raises(EncodingError, match=r"takes 16,793,600 bytes .* left of the 16,777,216 allowed .*--max-output"):
        Densify()(model)


def test_densified_model_computes_what_the_dense_one_does() -> None:
    model = encoded(MODELS["layers"])
    Densify()(model)
    x = np.random.default_rng(0).random((1, 48)).astype(np.float32)
    assert run_here(model.to_bytes(), x)[0].tobytes() == run_here(MODELS["layers"], x)[0].tobytes()


def test_payload_never_takes_the_place_of_the_empty_first_buffer() -> None:
    source = Model.from_bytes(MODELS["float32"])
    for tensor in source.subgraphs[0].tensors:
        if not tensor.is_constant:  # one empty buffer for each, as TensorFlow's converter writes it
            tensor.buffer = Buffer()
    model = encoded(source.to_bytes())
    Densify()(model)
    saved = Model.from_bytes(model.to_bytes())
    assert saved.buffers[0].nbytes == 0
    x = np.random.default_rng(0).random((1, 6, 6, 16)).astype(np.float32)
    assert run_here(saved.to_bytes(), x)[0].tobytes() == run_here(MODELS["float32"], x)[0].tobytes()


def test_published_sparse_model_is_unpacked_whole(published_model: Callable[[str], Path]) -> None:
    data = published_model("face_detection_full_range_sparse.tflite").read_bytes()
    model = Model.from_bytes(data)
    changes = Densify()(model)
    assert len(changes) == sum(op.name == "DENSIFY" for _, op in Model.from_bytes(data).operators())
    assert changes
    assert not any(t.is_sparse for t in model.subgraphs[0].tensors)
    shape = model.subgraphs[0].inputs[0].shape
    x = np.random.default_rng(0).random(shape).astype(np.float32)
    for found, expected in zip(run_here(model.to_bytes(), x), run_here(data, x), strict=True):
        assert np.allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


NATIVE = {
    "float32": (one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "float32")), 1),
    "hybrid": (one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", block=16), per_channel=False), 9),
    "hybrid per channel": (one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", block=16)), 12),
    "int8": (one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", block=16), "int8", per_channel=False), 4),
    "int8 per channel": (one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "int8", block=16), "int8"), 4),
}
NATIVE_ONLY = Target(name="native", rules=tuple(r for r in LITERT.rules if r.route is Route.NATIVE), hazards=())


def delegated(data: bytes) -> bool:
    """Whether XNNPACK takes the model's operators."""
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    return "DELEGATE" in [operator["op_name"] for operator in interpreter._get_ops_details()]


def an_input(data: bytes) -> np.ndarray:
    (x,) = Model.from_bytes(data).subgraphs[0].inputs
    assert x is not None
    values = np.random.default_rng(0).random(x.shape)
    return (values * 100).astype(np.int8) if x.type_name == "INT8" else values.astype(np.float32)


@pytest.mark.parametrize("target", [NATIVE_ONLY, DENSIFY_ONLY], ids=lambda target: target.name)
@pytest.mark.parametrize("name", NATIVE)
def test_fully_connected_gets_a_version_that_is_delegated_and_answers_as_before(name: str, target: Target) -> None:
    data, version = NATIVE[name]
    model = encoded(data, target)
    if target is NATIVE_ONLY:
        assert not delegated(model.to_bytes())
    Densify()(model)
    found = model.to_bytes()
    assert [op.code.version for op in model.subgraphs[0].operators] == [version]
    assert delegated(found)
    for kernel_set in RESOLVERS:
        answers = [run_here(d, an_input(data), kernel_set=kernel_set)[0].tobytes() for d in (data, found)]
        assert answers[0] == answers[1], kernel_set
    assert len(found) <= len(Model.from_bytes(data).to_bytes())


@pytest.mark.parametrize("asymmetric", [True, False])
def test_how_a_hybrid_kernel_rounds_its_input_stays(asymmetric: bool) -> None:
    model = encoded(NATIVE["hybrid"][0], NATIVE_ONLY)
    (operator,) = model.subgraphs[0].operators
    operator.fields.builtinOptions.asymmetricQuantizeInputs = asymmetric
    sparse = model.to_bytes()
    Densify()(model)
    assert operator.fields.builtinOptions.asymmetricQuantizeInputs == asymmetric
    assert operator.code.version == (9 if asymmetric else 3)
    for kernel_set in list(RESOLVERS)[1:]:  # without delegates
        answers = [run_here(d, an_input(sparse), kernel_set=kernel_set)[0] for d in (sparse, model.to_bytes())]
        assert np.allclose(answers[0], answers[1], rtol=0, atol=1e-5 * np.abs(answers[0]).max())


def test_another_fully_connected_keeps_its_version_whatever_it_is() -> None:
    layers = [weight_for("", "float32", shape=(48, 48), seed=i, zeros=0.9 * (i != 1)) for i in range(3)]
    model = encoded(mlp(layers), LITERT)
    dense = next(op for op in model.subgraphs[0].operators if op.code.version == 1)
    dense.code = model.operator_code(dense.code.builtin, 8)
    Densify()(model)
    assert [op.code.version for op in model.subgraphs[0].operators] == [1, 8, 1]


DENSE, SPARSE_CSR = DimensionFormat.DENSE, DimensionFormat.SPARSE_CSR
FOREIGN = {
    "columns first": BlockFormat(traversal_order=(1, 0), formats=(DENSE, SPARSE_CSR)),
    "both compressed": BlockFormat(traversal_order=(0, 1), formats=(SPARSE_CSR, SPARSE_CSR)),
    "none compressed": BlockFormat(traversal_order=(0, 1), formats=(DENSE, DENSE)),
    "block 4x1": block_csr((4, 1)),
    "block 2x8": block_csr((2, 8)),
    "csr": csr(2),
}


@pytest.mark.parametrize("version", [1, 8, 12])
@pytest.mark.parametrize("name", FOREIGN)
def test_any_format_that_an_operator_is_fed_becomes_right(name: str, version: int) -> None:
    """Most of these crash the runtime or give garbage as they are."""
    data = one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "float32"))
    model = Model.from_bytes(one_op("FULLY_CONNECTED", weight_for("FULLY_CONNECTED", "float32"), version=version))
    weight = next(t for t in model.subgraphs[0].tensors if t.name == "weight")
    write_sparsity(weight, encode(weight.array(), FOREIGN[name]))
    model = Model.from_bytes(model.to_bytes())
    assert [change.tensor for change in Densify()(model)] == ["weight"]
    assert run_here(model.to_bytes(), an_input(data))[0].tobytes() == run_here(data, an_input(data))[0].tobytes()


def test_weights_that_are_all_zero_come_back() -> None:
    zeros = np.zeros((48, 96), np.float32)
    model = encoded(one_op("FULLY_CONNECTED", zeros), LITERT)
    (weight,) = [t for t in model.subgraphs[0].tensors if t.is_sparse]
    for data in (weight.buffer.data, None):  # an empty payload, or none at all
        weight.buffer = Buffer(data)
        again = Model.from_bytes(model.to_bytes())
        Densify()(again)
        assert next(t for t in again.subgraphs[0].tensors if t.name == "weight").array().tobytes() == zeros.tobytes()


def test_one_densify_with_several_readers() -> None:
    model = encoded(MODELS["float32"])
    graph = model.subgraphs[0]
    conv = graph.operators[1]
    made = Tensor(schema.TensorT(**{**vars(conv.outputs[0].fields), "name": b"y2"}), conv.outputs[0].buffer)
    graph.tensors.append(made)
    graph.outputs.append(made)
    graph.operators.append(type(conv)(conv.fields, conv.code, [*conv.inputs], [made]))
    sparse = model.to_bytes()
    assert len(Densify()(model)) == 1
    answers = [run_here(data, an_input(sparse)) for data in (sparse, model.to_bytes())]
    assert [a.tobytes() for a in answers[0]] == [a.tobytes() for a in answers[1]]


def test_densify_into_an_output_leaves_a_constant_that_every_kernel_set_returns() -> None:
    model = encoded(MODELS["float32"])
    graph = model.subgraphs[0]
    (dense,) = graph.operators[0].outputs
    graph.outputs.append(dense)
    Densify()(model)
    for run in isolated_runs(model.to_bytes()).values():
        assert isinstance(run, FinishedRun)
        assert (run.outputs[1].values == weight_for("CONV_2D", "float32")).all()


def test_encoded_tensor_that_a_kernel_and_a_densify_read_is_stored_once() -> None:
    weight = weight_for("FULLY_CONNECTED", "float32")
    built = new_model()
    graph = Graph(built)
    x, y, z = graph.tensor("x", (1, 96)), graph.tensor("y", (1, 48)), graph.tensor("z", (1, 48))
    w, made = graph.constant("w", weight), graph.tensor("made", weight.shape)
    graph.fully_connected(x, w, -1, y, version=8)
    graph.op(schema.BuiltinOperator.DENSIFY, [w], [made], schema.DensifyOptionsT())
    graph.fully_connected(x, made, -1, z)
    graph.ends([x], [y, z])
    model = Model.from_bytes(packed(built))
    tensor = model.subgraphs[0].tensors[w]
    write_sparsity(tensor, encode(weight, csr(2)))
    assert [change.tensor for change in Densify()(model)] == ["made", "w"]
    assert len(model.to_bytes()) < weight.nbytes + 2000
    values = np.random.default_rng(0).random((1, 96)).astype(np.float32)
    first, second = run_here(model.to_bytes(), values)
    assert first.tobytes() == second.tobytes()
    assert np.allclose(first, values @ weight.T, atol=1e-4)


def test_every_subgraph_is_unpacked() -> None:
    built = new_model()
    weights = [weight_for("", "float32", shape=(48, 48), seed=i) for i in range(2)]
    for i, weight in enumerate(weights):
        graph = Graph(built)
        x, y = graph.tensor("x", (1, 48)), graph.tensor("y", (1, 48))
        graph.fully_connected(x, graph.constant(f"w{i}", weight), -1, y)
        graph.ends([x], [y])
    for target in (LITERT, DENSIFY_ONLY):
        model = encoded(packed(built), target)
        assert [change.tensor for change in Densify()(model)] == ["w0", "w1"]
        for graph, weight in zip(model.subgraphs, weights, strict=True):
            constant = next(t for t in graph.tensors if t.is_constant)
            assert constant.array().tobytes() == weight.tobytes()


def test_more_than_is_allowed_is_refused_before_anything_is_done() -> None:
    model = encoded(MODELS["layers"], LITERT)
    before = model.to_bytes()
    size = 48 * 48 * 4
    text = rf"^w2: takes {size:,} bytes unpacked, and {size - 1:,} are left of the {3 * size - 1:,} allowed"
    with pytest.raises(EncodingError, match=text):
        Densify(max_output_bytes=3 * size - 1)(model)
    assert model.to_bytes() == before
    assert len(Densify(max_output_bytes=3 * size)(model)) == 3


def test_by_default_what_is_made_is_in_proportion_to_what_was_given() -> None:
    model = encoded(one_op("FULLY_CONNECTED", np.zeros((48, 96), np.float32)), LITERT)
    (weight,) = [t for t in model.subgraphs[0].tensors if t.is_sparse]
    weight.shape = (2**15, 2**15)  # 4 GiB
    with pytest.raises(EncodingError, match=r"takes 4,294,967,296 bytes unpacked, and 16,777,216 are left"):
        Densify()(model)
