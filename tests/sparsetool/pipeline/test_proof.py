"""Nothing passes unproved: faults planted behind the pipeline's back are named with their stage and tensor."""

import numpy as np
import pytest
from models_in_memory import Graph, mlp, new_model, packed

from sparsetool.pipeline.conversion import Conversion, Settings, Stage, convert
from sparsetool.pipeline.proof import Prover, is_hybrid
from sparsetool_converters.errors import CalibrationDataError, TargetError, VerificationError
from sparsetool_converters.model import Buffer, Model
from sparsetool_converters.passes.quantize import Quantization
from sparsetool_converters.samples import RandomSamples

SAMPLES = np.random.default_rng(4).random((8, 64), np.float32)


@pytest.fixture
def prover(heard):
    return Prover(SAMPLES, timeout_s=60.0, listener=heard)


def edited(data, edit):
    """The model after an edit of its objects."""
    model = Model.from_bytes(data)
    edit(model)
    return model.to_bytes()


def constant(model, name):
    return next(t for graph in model.subgraphs for t in graph.tensors if t.name == name and t.is_constant)


def flip(name, bit=0):
    """Flips one bit of the first stored byte that is not zero."""

    def edit(model):
        tensor = constant(model, name)
        data = tensor.buffer.data.copy()
        data[np.flatnonzero(data)[0]] ^= 1 << bit
        tensor.buffer = Buffer(data)

    return edit


def version_of_fully_connected(version):
    def edit(model):
        for _, operator in model.operators():
            if operator.name == "FULLY_CONNECTED":
                operator.code = model.operator_code(operator.code.builtin, version)

    return edit


def two_stages(before, name, after):
    return Conversion(stages=(Stage(name="source", data=before), Stage(name=name, data=after)), plan=None)


def refusal(prover, conversion, quantize=Quantization.NONE):
    with pytest.raises(VerificationError) as caught:
        prover.prove(conversion, quantize, name="small")
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


@pytest.fixture
def conversion(pruned_model, heard):
    return convert(pruned_model, Settings(), where="model", listener=heard)


def test_a_right_conversion_is_proved_stage_by_stage_on_every_kernel_set(prover, conversion, heard):
    records, skipped = prover.prove(conversion, Quantization.NONE, name="small")
    assert skipped == ()
    assert [(r.stage, r.kernel_set) for r in records] == [
        (stage, kernels)
        for stage in ("canonicalize", "compact", "encode")
        for kernels in ("default", "no-delegates", "reference")
    ]
    assert all(r.samples == 8 and r.relative_error <= 1e-5 for r in records)
    assert all(r.sqnr_db is None for r in records if r.identical)
    assert {task for task, _, _ in heard.tasks} == {"verify small"}


@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_of_an_encoded_weight_is_found_whatever_it_does_to_outputs(prover, conversion, bit):
    *_, before, last = conversion.stages
    error = refusal(prover, two_stages(before.data, last.name, edited(last.data, flip("w0", bit))))
    assert (error.stage, error.tensor) == ("encode", "w0")
    assert "1 of " in error.problem


def test_a_weight_that_canonicalizing_should_not_have_touched_is_found(prover, pruned_model):
    error = refusal(prover, two_stages(pruned_model, "canonicalize", edited(pruned_model, flip("w1"))))
    assert (error.stage, error.tensor) == ("canonicalize", "w1")


def test_a_live_hidden_unit_that_compaction_removed_is_found_by_the_outputs(prover, conversion):
    def kill(model):
        weight = constant(model, "w0")
        values = weight.array().copy()
        values[0] = 0.0
        weight.buffer = Buffer(values.reshape(-1).view(np.uint8))

    *_, compacted, _ = conversion.stages
    error = refusal(prover, two_stages(conversion.stages[1].data, "compact", edited(compacted.data, kill)))
    assert (error.stage, error.tensor) == ("compact", "y")
    assert "of the largest value" in error.problem


def test_sparse_weights_under_a_version_that_xnnpack_takes_are_found(prover, conversion):
    *_, before, last = conversion.stages
    wrong = edited(last.data, version_of_fully_connected(1))
    assert refusal(prover, two_stages(before.data, last.name, wrong)).stage == "encode"


@pytest.mark.parametrize("mode", ["float16", "int8"])
def test_a_broken_quantization_is_found(prover, pruned_model, heard, mode):
    conversion = convert(
        pruned_model, Settings(quantize=Quantization(mode)), calibration=SAMPLES, where="model", listener=heard
    )
    prover.prove(conversion, Quantization(mode), name="small")

    def forget(model):
        weight = constant(model, "w1")
        weight.buffer = Buffer(np.zeros_like(weight.buffer.data))

    at = [stage.name for stage in conversion.stages].index("quantize")
    wrong = two_stages(conversion.stages[at - 1].data, "quantize", edited(conversion.stages[at].data, forget))
    error = refusal(prover, wrong, Quantization(mode))
    assert (error.stage, error.tensor) == ("quantize", "y")
    assert "signal to noise" in error.problem


def test_a_renamed_output_is_found(prover, conversion):
    def rename(model):
        model.subgraphs[0].outputs[0].fields.name = b"z"

    last = conversion.stages[-1]
    error = refusal(prover, two_stages(last.data, "encode", edited(last.data, rename)))
    assert (error.tensor, error.problem) == ("y", "output 0 is z [1, 10] FLOAT32 instead of y [1, 10] FLOAT32")


def test_a_model_with_nothing_to_do_is_run_all_the_same(prover, pruned_model):
    alone = Conversion(stages=(Stage(name="source", data=pruned_model),), plan=None)
    records, _ = prover.prove(alone, Quantization.NONE, name="small")
    assert [(r.stage, r.identical) for r in records] == [("source", True)] * 3


def test_a_model_that_the_target_cannot_run_does_not_pass(prover, models):
    data = models.custom_op().read_bytes()
    with pytest.raises(TargetError, match="Unheard"):
        Prover(RandomSamples(n_samples=1), timeout_s=60.0, listener=prover._listener).prove(
            Conversion(stages=(Stage(name="source", data=data),), plan=None), Quantization.NONE, name="small"
        )


def test_a_model_is_run_once_however_often_it_is_compared(prover, pruned_model, heard):
    alone = Conversion(stages=(Stage(name="source", data=pruned_model),), plan=None)
    prover.prove(alone, Quantization.NONE, name="one")
    prover.prove(alone, Quantization.NONE, name="two")
    assert {task for task, _, _ in heard.tasks} == {"verify one"}


def test_random_samples_mean_the_same_to_a_quantized_model(pruned_model, heard):
    conversion = convert(
        pruned_model, Settings(quantize=Quantization.INT8), calibration=SAMPLES, where="model", listener=heard
    )
    random = Prover(RandomSamples(n_samples=8), timeout_s=60.0, listener=heard)
    records, _ = random.prove(conversion, Quantization.INT8, name="small")
    assert all(r.sqnr_db is None or r.sqnr_db > 10 for r in records)


def test_samples_of_another_shape_are_calibration_data_that_does_not_fit(conversion, heard):
    with pytest.raises(CalibrationDataError, match=r"got \[2, 3\]"):
        Prover(np.zeros((2, 3)), timeout_s=60.0, listener=heard).prove(conversion, Quantization.NONE, name="small")


def test_int8_weights_under_float_activations_are_hybrid(dense_model):
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 16)), graph.tensor("y", (1, 4))
    weight = graph.constant("w", np.ones((4, 16), np.int8), scale=1.0)
    graph.fully_connected(x, weight, -1, y, version=12)
    graph.ends([x], [y])
    assert is_hybrid(packed(model))
    assert not is_hybrid(dense_model)
    assert not is_hybrid(mlp([np.ones((2, 2))]))
