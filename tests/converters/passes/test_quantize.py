"""Post-training quantization of a small pruned network, and what is mended after it."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from kernel_sets import RESOLVERS, run_here
from models_in_memory import Graph, new_model, packed, signature

from sparsetool_converters.errors import CalibrationDataError, MissingExtraError, ModelFormatError
from sparsetool_converters.model import Model, Tensor
from sparsetool_converters.passes import Change
from sparsetool_converters.passes.mend_scales import mend_empty_channels
from sparsetool_converters.passes.quantize import Quantization, Quantize

SIDE, CHANNELS, FILTERS, CLASSES = 6, 3, 8, 5
EMPTY_FILTERS, EMPTY_CLASSES = [2, 5], [1, 3]
RNG = np.random.default_rng(0)


def pruned(shape: tuple[int, ...], empty: list[int]) -> np.ndarray:
    weight = RNG.normal(size=shape) * (RNG.random(shape) < 0.5) / np.sqrt(np.prod(shape[1:]))
    weight[empty] = 0
    return weight.astype(np.float32)


CONV, FULLY_CONNECTED = (
    pruned((FILTERS, 3, 3, CHANNELS), EMPTY_FILTERS),
    pruned((CLASSES, SIDE * SIDE * FILTERS), EMPTY_CLASSES),
)
CONV_BIAS = np.linspace(0.5, 2, FILTERS).astype(np.float32)  # of empty filters, too: their output is a constant
CLASS_BIAS = np.linspace(-2, 2, CLASSES).astype(np.float32)
SAMPLES = RNG.random((16, SIDE, SIDE, CHANNELS)).astype(np.float32)


def float_model(*, with_signature: bool = True) -> bytes:
    """image -> CONV_2D + RELU -> FULLY_CONNECTED -> scores."""
    model = new_model()
    graph = Graph(model)
    x = graph.tensor("image", (1, SIDE, SIDE, CHANNELS))
    h, y = graph.tensor("h", (1, SIDE, SIDE, FILTERS)), graph.tensor("scores", (1, CLASSES))
    conv, conv_bias = graph.constant("conv", CONV), graph.constant("conv_bias", CONV_BIAS)
    dense, dense_bias = graph.constant("dense", FULLY_CONNECTED), graph.constant("dense_bias", CLASS_BIAS)
    options = schema.Conv2DOptionsT(strideH=1, strideW=1, fusedActivationFunction=1)
    graph.op(schema.BuiltinOperator.CONV_2D, [x, conv, conv_bias], [h], options)
    graph.fully_connected(h, dense, dense_bias, y)
    graph.ends([x], [y])
    if with_signature:
        model.signatureDefs = [signature("predict", {"pixels": x}, {"scores": y})]
    return packed(model)


FLOAT = float_model()


def quantized(mode: Quantization, data: bytes = FLOAT) -> tuple[Model, list[Change]]:
    model = Model.from_bytes(data)
    changes = list(Quantize(mode, SAMPLES)(model))
    return Model.from_bytes(model.to_bytes()), changes


@pytest.fixture(scope="module")
def float16() -> tuple[Model, list[Change]]:
    return quantized(Quantization.FLOAT16)


@pytest.fixture(scope="module")
def dynamic() -> tuple[Model, list[Change]]:
    return quantized(Quantization.DYNAMIC)


@pytest.fixture(scope="module")
def int8() -> tuple[Model, list[Change]]:
    return quantized(Quantization.INT8)


def constant(model: Model, name: str) -> Tensor:
    (found,) = [t for t in model.subgraphs[0].tensors if t.name == name]
    return found


def answers(model: Model) -> dict[str, np.ndarray]:
    """Real-valued scores of every sample on each kernel set, [n, classes]."""
    (x,), (y,) = (
        [t.info() for t in ts if t is not None] for ts in (model.subgraphs[0].inputs, model.subgraphs[0].outputs)
    )
    data, found = model.to_bytes(), {}
    for kernel_set in RESOLVERS:
        stored = [x.quantize(s) if x.is_quantized else s for s in SAMPLES[:4, np.newaxis]]
        outputs = [run_here(data, s, kernel_set=kernel_set)[0] for s in stored]
        found[kernel_set] = np.concatenate([y.dequantize(output) for output in outputs])
    return found


EXPECTED = answers(Model.from_bytes(FLOAT))
WIDEST = float(np.abs(next(iter(EXPECTED.values()))).max())


def assert_close(model: Model, tolerance: float) -> None:
    for kernel_set, found in answers(model).items():
        assert np.abs(found - EXPECTED[kernel_set]).max() <= tolerance * WIDEST, kernel_set


def test_float16_stores_weights_in_half_and_computes_in_float(float16: tuple[Model, list[Change]]) -> None:
    model, changes = float16
    assert constant(model, "conv").type_name == "FLOAT16"
    assert np.array_equal(constant(model, "conv").array(), CONV.astype(np.float16))
    assert {c.tensor: (c.bytes_before, c.bytes_after) for c in changes} == {
        "conv": (CONV.nbytes, CONV.nbytes // 2),
        "dense": (FULLY_CONNECTED.nbytes, FULLY_CONNECTED.nbytes // 2),
    }
    assert_close(model, 2e-3)


def test_dynamic_stores_int8_weights_and_keeps_float_activations(dynamic: tuple[Model, list[Change]]) -> None:
    model, changes = dynamic
    assert {t.name: t.type_name for t in model.subgraphs[0].tensors if t.name in ("conv", "dense", "h", "scores")} == {
        "conv": "INT8",
        "dense": "INT8",
        "h": "FLOAT32",
        "scores": "FLOAT32",
    }
    assert "dynamic: FLOAT32 to INT8, zeros " in changes[0].what
    assert_close(model, 0.02)


def test_dynamic_gives_one_answer_with_and_without_delegates(dynamic: tuple[Model, list[Change]]) -> None:
    (operator,) = [op for _, op in dynamic[0].operators() if op.name == "FULLY_CONNECTED"]
    assert operator.fields.builtinOptions.asymmetricQuantizeInputs


def test_int8_stores_weights_and_computes_in_int8(int8: tuple[Model, list[Change]]) -> None:
    model, _ = int8
    kinds = {t.name: t.type_name for t in model.subgraphs[0].tensors}
    assert (kinds["conv"], kinds["dense"], kinds["conv_bias"]) == ("INT8", "INT8", "INT32")
    assert [t.type_name for t in model.subgraphs[0].inputs if t is not None] == ["INT8"]
    assert [t.type_name for t in model.subgraphs[0].outputs if t is not None] == ["INT8"]
    assert_close(model, 0.02)  # ranges hold every calibration sample, so that nothing saturates


def test_zeros_of_pruned_weights_stay_zeros(
    dynamic: tuple[Model, list[Change]], int8: tuple[Model, list[Change]]
) -> None:
    for model, _ in (dynamic, int8):
        for name, weight in (("conv", CONV), ("dense", FULLY_CONNECTED)):
            assert not constant(model, name).array()[weight == 0].any()


def test_constant_output_of_an_empty_channel_survives_int8(int8: tuple[Model, list[Change]]) -> None:
    model, changes = int8
    (y,) = (t.info() for t in model.subgraphs[0].outputs if t is not None)
    for kernel_set, found in answers(model).items():
        assert np.abs(found[:, EMPTY_CLASSES] - CLASS_BIAS[EMPTY_CLASSES]).max() <= y.scale, kernel_set
    mended = [(c.tensor, c.what) for c in changes if "empty" in c.what]
    assert mended == [
        ("conv", "2 of 8 channels are empty: scale set to a usable one"),
        ("dense", "2 of 5 channels are empty: scale set to a usable one"),
    ]


def test_scale_of_an_empty_channel_is_one_that_its_bias_fits(int8: tuple[Model, list[Change]]) -> None:
    model, _ = int8
    for weight, bias, values, empty in (
        ("conv", "conv_bias", CONV_BIAS, EMPTY_FILTERS),
        ("dense", "dense_bias", CLASS_BIAS, EMPTY_CLASSES),
    ):
        scales, bias_scales = constant(model, weight).scales, constant(model, bias).scales
        assert scales is not None
        assert bias_scales is not None
        assert scales.min() > 1e-6
        input_scale = bias_scales / scales
        assert np.allclose(input_scale, input_scale[0], rtol=1e-5)
        stored = constant(model, bias).array()
        assert np.allclose(stored * bias_scales, values, atol=bias_scales.max())
        assert np.abs(stored[empty]).max() <= 2**30


@pytest.mark.parametrize("with_signature", [True, False])
def test_names_of_inputs_outputs_and_signatures_are_kept(
    with_signature: bool, int8: tuple[Model, list[Change]]
) -> None:
    model, _ = int8 if with_signature else quantized(Quantization.DYNAMIC, float_model(with_signature=False))
    (x,), (y,) = model.subgraphs[0].inputs, model.subgraphs[0].outputs
    assert x is not None
    assert y is not None
    if not with_signature:
        assert (x.name, y.name) == ("image", "scores")
        assert model.signatures is None
        return
    assert model.signatures is not None
    (found,) = model.signatures
    assert found.fields.signatureKey == b"predict"
    assert [(e.fields.name, e.tensor) for e in found.inputs] == [(b"pixels", x)]
    assert [(e.fields.name, e.tensor) for e in found.outputs] == [(b"scores", y)]


def test_samples_are_found_by_the_name_of_the_tensor_or_of_the_signature_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    model = Model.from_bytes(FLOAT)
    Quantize(Quantization.INT8, {"pixels": SAMPLES[:3]}, lambda done, total: told.append((done, total)))(model)
    assert told[-1] == (3, 3)
    assert {total for _, total in told} == {3}


@pytest.mark.parametrize(
    ("samples", "problem"),
    [
        (None, "int8 needs calibration data"),
        (SAMPLES[:, 1:], r"takes samples of shape \[n, 1, 6, 6, 3\] or \[n, 6, 6, 3\]; got \[16, 5, 6, 3\]"),
        ({"pixels": SAMPLES, "more": SAMPLES}, "the model's inputs are 'pixels'; samples are given for"),
        ([SAMPLES, SAMPLES], "the model has 1 inputs"),
        (SAMPLES[:0], "no samples"),
        (SAMPLES.astype(np.complex64), "do not fit it"),
    ],
)
def test_calibration_data_that_do_not_fit_are_refused_and_leave_the_model_as_it_was(samples: Any, problem: str) -> None:
    model = Model.from_bytes(float_model(with_signature=True))
    before = model.to_bytes()
    with pytest.raises(CalibrationDataError, match=problem):
        Quantize(Quantization.INT8, samples)(model)
    assert model.to_bytes() == before


def test_model_that_cannot_be_quantized_is_refused_with_the_quantizers_words() -> None:
    model = schema.ModelT.InitFromPackedBuf(FLOAT, 0)
    model.subgraphs[0].tensors[3].shape = [7, 3, 3, 3]
    read = Model.from_bytes(packed(model))
    before = read.to_bytes()
    with pytest.raises(ModelFormatError, match="model: could not be quantized to int8: ") as caught:
        Quantize(Quantization.INT8, SAMPLES)(read)
    assert "\n" not in str(caught.value)
    assert read.to_bytes() == before


def test_missing_quantizer_is_refused_with_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsetool_converters.passes.quantize.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sparsetool\[quantize\]'"):
        Quantize(Quantization.DYNAMIC)(Model.from_bytes(FLOAT))


def test_nothing_is_printed(tmp_path: Any) -> None:
    source = tmp_path / "float.tflite"
    source.write_bytes(FLOAT)
    code = (
        "import sys, pathlib; from sparsetool_converters.model import Model; "
        "from sparsetool_converters.passes.quantize import Quantization, Quantize; "
        "Quantize(Quantization.DYNAMIC)(Model.from_bytes(pathlib.Path(sys.argv[1]).read_bytes()))"
    )
    found = subprocess.run([sys.executable, "-c", code, str(source)], capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("", "")


def test_same_model_and_samples_give_the_same_bytes(int8: tuple[Model, list[Change]]) -> None:
    assert quantized(Quantization.INT8)[0].to_bytes() == int8[0].to_bytes()


def transpose_conv(bias_name: str) -> tuple[Model, Model]:
    """A TRANSPOSE_CONV whose channel 0 is empty, as the quantizer leaves it, and the float model it came from."""
    weight = np.ones((2, 1, 1, 3), np.int8)
    weight[0] = 0
    pair = []
    for dtype in ("int8", "float32"):
        model = new_model()
        graph = Graph(model)
        kind = {"scale": 0.5} if dtype == "int8" else {}
        x, y = (graph.tensor(name, (1, 1, 1, n), dtype, **kind) for name, n in (("x", 3), ("y", 2)))
        wanted = graph.constant("shape", np.array([1, 1, 1, 2], np.int32))
        if dtype == "int8":
            w = graph.constant("w", weight, scale=[1e-11, 0.25])
            b = graph.constant(bias_name, np.array([2**31 - 1, 8], np.int32), scale=[0.5e-11, 0.125])
        else:
            w = graph.constant("w", weight.astype(np.float32) * 0.25)
            b = graph.constant("b", np.array([10, 1], np.float32))
        graph.op(schema.BuiltinOperator.TRANSPOSE_CONV, [wanted, w, x, b], [y], schema.TransposeConvOptionsT())
        graph.ends([x], [y])
        pair.append(Model.from_bytes(packed(model)))
    return pair[0], pair[1]


def test_bias_of_transpose_conv_is_mended_with_the_scale_of_its_activation() -> None:
    model, original = transpose_conv("b")
    (change,) = mend_empty_channels(model, original)
    assert change.what == "1 of 2 channels are empty: scale set to a usable one"
    assert constant(model, "w").scales.tolist() == [0.25, 0.25]
    assert constant(model, "b").scales.tolist() == [0.125, 0.125]
    assert constant(model, "b").array().tolist() == [80, 8]


def test_channel_whose_bias_is_not_in_the_float_model_is_left_alone() -> None:
    model, original = transpose_conv("renamed")
    before = model.to_bytes()
    assert mend_empty_channels(model, original) == []
    assert model.to_bytes() == before


def narrow_model() -> bytes:
    """One FULLY_CONNECTED whose channel 1 has weights that are tiny beside its bias."""
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 8)), graph.tensor("y", (1, 2))
    weight = np.ones((2, 8), np.float32)
    weight[1] *= 1e-9
    graph.fully_connected(
        x, graph.constant("w", weight), graph.constant("b", np.array([0.5, 3], np.float32)), y, activation=0
    )
    graph.ends([x], [y])
    return packed(model)


@pytest.mark.parametrize(("mode", "bias"), [("int8", "INT32"), ("static_wi8_ai16", "INT64")])
def test_channel_too_narrow_for_its_bias_gets_a_wider_scale_and_keeps_its_constant(mode: str, bias: str) -> None:
    data, samples = narrow_model(), RNG.random((8, 8)).astype(np.float32)
    model = Model.from_bytes(data)
    changes = Quantize(mode, samples)(model)
    assert constant(model, "b").type_name == bias
    assert changes[-1].what.endswith("1 too narrow for their bias: scale widened")
    graph = model.subgraphs[0]
    (x,), (y,) = ([t.info() for t in ts if t is not None] for ts in (graph.inputs, graph.outputs))
    for kernel_set in RESOLVERS:
        (found,) = run_here(model.to_bytes(), x.quantize(samples[:1]), kernel_set=kernel_set)
        (wanted,) = run_here(data, samples[:1], kernel_set=kernel_set)
        assert np.abs(y.dequantize(found) - wanted).max() <= 0.02 * np.abs(wanted).max(), kernel_set


def test_quantizer_that_gives_no_sign_of_itself_is_stopped() -> None:
    with pytest.raises(ModelFormatError, match="the quantizer was ended by signal 9"):
        Quantize("dynamic", patience_s=0.01)(Model.from_bytes(FLOAT))


def test_model_of_integers_is_left_alone(int8: tuple[Model, list[Change]]) -> None:
    model = Model.from_bytes(int8[0].to_bytes())
    before = model.to_bytes()
    for mode in ("float16", "dynamic", "int8"):
        assert list(Quantize(mode, SAMPLES)(model)) == []
    assert model.to_bytes() == before
