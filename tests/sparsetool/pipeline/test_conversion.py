"""One model through the passes: which stages run, in which order, and what each leaves."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed, signature

from sparsetool.pipeline.conversion import Settings, convert
from sparsetool_converters.costs import Objective
from sparsetool_converters.errors import CalibrationDataError, ModelFormatError, UsageError
from sparsetool_converters.model import Model
from sparsetool_converters.passes.kept_zeros import ZerosLostError
from sparsetool_converters.passes.quantize import Quantization
from sparsetool_converters.passes.quantize_layers import LayerRecipe

SAMPLES = np.random.default_rng(4).random((16, 64), np.float32)


@pytest.fixture
def converted(heard):
    def run(source, **settings):
        return convert(source, Settings(**settings), calibration=SAMPLES, where="model.tflite", listener=heard)

    return run


def names(conversion):
    return [stage.name for stage in conversion.stages]


def weight_types(data):
    return {t.name: t.type_name for t in Model.from_bytes(data).subgraphs[0].tensors if t.name in ("w0", "w1")}


def test_a_model_with_nothing_to_do_comes_back_byte_for_byte(converted, dense_model):
    conversion = converted(dense_model)
    assert names(conversion) == ["source"]
    assert conversion.result == dense_model


def test_each_stage_that_changed_something_is_kept_with_what_it_did(converted, pruned_model):
    conversion = converted(pruned_model)
    assert names(conversion) == ["source", "canonicalize", "compact", "encode"]
    source, *stages = conversion.stages
    assert source.data == pruned_model
    assert source.changes == ()
    assert all(stage.changes for stage in stages)
    assert [c.tensor for c in stages[0].changes] == ["w0"]
    assert len(conversion.result) < len(pruned_model) / 2


@pytest.mark.parametrize(
    ("settings", "stages"),
    [
        ({"compact": False, "encode": False}, ["canonicalize"]),
        ({"compact": False}, ["canonicalize", "encode"]),
        ({"encode": False}, ["canonicalize", "compact"]),
    ],
)
def test_stages_that_are_not_asked_for_do_not_run(converted, pruned_model, settings, stages):
    conversion = converted(pruned_model, **settings)
    assert names(conversion) == ["source", *stages]
    assert (conversion.plan is None) == (not settings.get("encode", True))


@pytest.mark.parametrize(
    ("mode", "stored"), [("float16", "FLOAT16"), ("dynamic", "INT8"), ("int8", "INT8")], ids=lambda value: value
)
def test_quantization_comes_after_compaction_and_before_encoding(converted, pruned_model, mode, stored):
    conversion = converted(pruned_model, quantize=Quantization(mode))
    assert names(conversion)[:4] == ["source", "canonicalize", "compact", "quantize"]
    assert names(conversion)[-1] in ("quantize", "encode", "compact quantized")
    quantized = next(stage for stage in conversion.stages if stage.name == "quantize")
    assert stored in weight_types(quantized.data).values()


def test_calibration_tells_how_far_it_is(converted, pruned_model, heard):
    converted(pruned_model, quantize=Quantization.INT8)
    told = [(done, total) for task, done, total in heard.tasks if task == "calibrate"]
    assert told[-1] == (16, 16)


def test_a_model_that_arrives_encoded_is_made_dense_first(converted, pruned_model):
    once = converted(pruned_model)
    assert names(once)[-1] == "encode"
    again = converted(once.result, quantize=Quantization.FLOAT16)
    assert names(again) == ["source", "densify", "quantize", "encode"]
    assert set(weight_types(again.result).values()) == {"FLOAT16"}


@pytest.mark.parametrize("mode", [Quantization.NONE, Quantization.FLOAT16])
def test_encoding_an_encoded_model_again_changes_nothing(converted, pruned_model, mode, heard):
    once = converted(pruned_model, quantize=mode)
    again = converted(once.result)
    assert (names(again), again.result, again.plan) == (["source"], once.result, None)
    size = len(once.result)
    assert heard.notes == [f"model.tflite: stays as it is, {size:,} bytes; converted, it takes {size:,}"]


@pytest.mark.parametrize("objective", Objective)
def test_the_objective_is_that_of_the_plan(converted, pruned_model, objective):
    plan = converted(pruned_model, objective=objective).plan
    assert plan.objective is objective


@pytest.mark.parametrize("mode", [Quantization.NONE, Quantization.INT8])
def test_the_same_source_gives_the_same_bytes(converted, pruned_model, mode):
    assert converted(pruned_model, quantize=mode).result == converted(pruned_model, quantize=mode).result


def test_every_weight_has_a_decision_with_a_reason(converted, pruned_model):
    plan = converted(pruned_model).plan
    assert {d.name for d in plan.decisions} >= {"w0", "w1"}
    assert all(d.reason for d in plan.decisions)


def test_int8_without_calibration_data_is_refused(pruned_model, heard):
    with pytest.raises(CalibrationDataError, match="int8 needs calibration data"):
        convert(pruned_model, Settings(quantize=Quantization.INT8), where="model", listener=heard)


def test_an_unknown_target_is_refused_with_the_known_ones(converted, dense_model):
    with pytest.raises(UsageError, match="target 'teapot' is not known; known targets: litert"):
        converted(dense_model, target="teapot")


def test_what_is_no_model_is_refused_by_its_name(converted):
    with pytest.raises(ModelFormatError, match=r"^model\.tflite: is not a \.tflite file"):
        converted(b"\x89PNG\r\n\x1a\n not a model")


def test_a_model_without_weights_passes_through(converted):
    identity = mlp([np.ones((1, 1))])
    assert converted(identity).result == identity


@pytest.mark.parametrize("mode", list(Quantization))
@pytest.mark.parametrize("signed", [True, False])
def test_signatures_and_metadata_survive_every_stage(converted, mode, signed):
    built = new_model()
    graph = Graph(built)
    x, y = graph.tensor("x", (1, 64)), graph.tensor("y", (1, 32))
    weight = np.random.default_rng(1).uniform(0.5, 1, (32, 64)).astype(np.float32)
    weight[:, 8:] = 0.0
    graph.fully_connected(x, graph.constant("w", weight), -1, y)
    graph.ends([x], [y])
    built.signatureDefs = [signature("classify", {"image": x}, {"scores": y})] if signed else None
    built.buffers.append(schema.BufferT(data=np.frombuffer(b"cat dog", np.uint8)))
    built.metadata = [schema.MetadataT(name=b"labels", buffer=len(built.buffers) - 1)]

    model = Model.from_bytes(converted(packed(built), quantize=mode).result)
    assert [(m.fields.name, bytes(m.buffer.data)) for m in model.metadata] == [(b"labels", b"cat dog")]
    if signed:
        (kept,) = model.signatures
        assert kept.fields.signatureKey == b"classify"
        assert [(e.fields.name, e.tensor.name) for e in [*kept.inputs, *kept.outputs]] == [
            (b"image", "x"),
            (b"scores", "y"),
        ]
    else:
        assert not model.signatures


def test_quantization_that_changes_nothing_is_told_with_the_reason(converted, pruned_model, heard):
    once = converted(pruned_model, quantize="float16", encode=False)
    assert "quantize" not in names(converted(once.result, quantize="float16", encode=False))
    assert heard.notes[-1] == "model.tflite: float16 changed nothing: the model's weights are float16 already"


def test_a_layer_has_a_recipe_of_its_own(converted, pruned_model):
    layers = (LayerRecipe(pattern="w1", recipe="none"),)
    conversion = converted(pruned_model, quantize="dynamic", quantize_layers=layers, encode=False)
    assert weight_types(conversion.result) == {"w0": "INT8", "w1": "FLOAT32"}


def test_only_a_layer_is_quantized(converted, pruned_model):
    layers = (LayerRecipe(pattern="w1", recipe="dynamic_wi4_afp32"),)
    conversion = converted(pruned_model, quantize_layers=layers, encode=False)
    assert weight_types(conversion.result) == {"w0": "FLOAT32", "w1": "INT4"}


def test_loss_of_zeros_is_refused_unless_it_is_allowed(converted, pruned_model):
    with pytest.raises(ZerosLostError, match="of w0, which is pruned"):
        converted(pruned_model, quantize="default_af32w8float")
    conversion = converted(pruned_model, quantize="default_af32w8float", allow_zero_loss=True, encode=False)
    assert weight_types(conversion.result)["w0"] == "INT8"
