"""Every recipe that is offered, on pruned networks with empty channels, on every kernel set of the runtime."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from kernel_sets import RESOLVERS, run_here
from models_in_memory import Graph, mlp, new_model, packed, signature

from sparsetool_converters.model import Model
from sparsetool_converters.passes.kept_zeros import QuantizedWeight, ZerosLostError
from sparsetool_converters.passes.quantize import Quantize
from sparsetool_converters.passes.recipes import ALGORITHMS, RECIPES, recipe_named
from sparsetool_converters.weights import weight_sites

Array = np.ndarray[Any, Any]

SIDE, CHANNELS, FILTERS, HIDDEN, CLASSES, ROWS = 6, 4, 16, 64, 10, 12
RNG = np.random.default_rng(0)


def pruned(shape: tuple[int, ...], empty: list[int], axis: int = 0) -> Array:
    """-1, 0 and 1 by one step for each channel, so that weights of any width hold them exactly; some channels empty."""
    weight = RNG.integers(-1, 2, shape) * (RNG.random(shape) < 0.6) / np.sqrt(0.4 * np.prod(shape) / shape[axis])
    weight = np.moveaxis(weight, axis, 0)
    weight *= np.linspace(0.5, 1.5, len(weight)).reshape(-1, *[1] * (weight.ndim - 1))
    weight[empty] = 0
    return np.moveaxis(weight, 0, axis).astype(np.float32)


WEIGHTS = {
    "conv": pruned((FILTERS, 3, 3, CHANNELS), [2, 5]),
    "depthwise": pruned((1, 3, 3, FILTERS), [3, 5], axis=3),
    "hidden": pruned((HIDDEN, SIDE * SIDE * FILTERS), [1, 3]),
    "scores": pruned((CLASSES, HIDDEN), [4]),
    "transpose": pruned((FILTERS, 3, 3, CHANNELS), [0, 7]),
    "table": pruned((ROWS, HIDDEN), [3, 8]),
    "matmul": pruned((HIDDEN, CLASSES), [6], axis=1),
}


def convolutional() -> bytes:
    """image -> CONV_2D -> DEPTHWISE_CONV_2D -> two FULLY_CONNECTED; biases of empty channels are not zero."""
    model = new_model()
    graph = Graph(model)
    x = first = graph.tensor("image", (1, SIDE, SIDE, CHANNELS))
    relu = {"strideH": 1, "strideW": 1, "fusedActivationFunction": 1}
    for name, code, options in (
        ("conv", schema.BuiltinOperator.CONV_2D, schema.Conv2DOptionsT(**relu)),
        ("depthwise", schema.BuiltinOperator.DEPTHWISE_CONV_2D, schema.DepthwiseConv2DOptionsT(**relu)),
    ):
        y = graph.tensor(f"{name}_out", (1, SIDE, SIDE, FILTERS))
        graph.op(code, [x, graph.constant(name, WEIGHTS[name]), bias(graph, name, FILTERS)], [y], options)
        x = y
    for name, units in (("hidden", HIDDEN), ("scores", CLASSES)):
        y = graph.tensor(f"{name}_out", (1, units))
        graph.fully_connected(x, graph.constant(name, WEIGHTS[name]), bias(graph, name, units), y)
        x = y
    return finished(model, graph, first, x)


def bias(graph: Graph, name: str, channels: int) -> int:
    return graph.constant(f"{name}_bias", np.linspace(0.5, 2, channels).astype(np.float32))


def finished(model: Any, graph: Graph, x: int, y: int) -> bytes:
    graph.ends([x], [y])
    model.signatureDefs = [signature("predict", {"in": x}, {"out": y})]
    return packed(model)


def transpose_conv() -> bytes:
    model = new_model()
    graph = Graph(model)
    x = graph.tensor("image", (1, SIDE, SIDE, CHANNELS))
    y = graph.tensor("transpose_out", (1, SIDE, SIDE, FILTERS))
    shape = graph.constant("shape", np.array([1, SIDE, SIDE, FILTERS], np.int32))
    weight, b = graph.constant("transpose", WEIGHTS["transpose"]), bias(graph, "transpose", FILTERS)
    options = schema.TransposeConvOptionsT(strideH=1, strideW=1)
    graph.op(schema.BuiltinOperator.TRANSPOSE_CONV, [shape, weight, x, b], [y], options, version=3)
    return finished(model, graph, x, y)


def embedding() -> bytes:
    """ids -> EMBEDDING_LOOKUP -> FULLY_CONNECTED."""
    model = new_model()
    graph = Graph(model)
    x, row = graph.tensor("ids", (1,), "int32"), graph.tensor("table_out", (1, HIDDEN))
    y = graph.tensor("scores_out", (1, CLASSES))
    graph.op(schema.BuiltinOperator.EMBEDDING_LOOKUP, [x, graph.constant("table", WEIGHTS["table"])], [row])
    graph.fully_connected(row, graph.constant("scores", WEIGHTS["scores"]), bias(graph, "scores", CLASSES), y)
    return finished(model, graph, x, y)


def batch_matmul() -> bytes:
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("rows", (1, 3, HIDDEN)), graph.tensor("matmul_out", (1, 3, CLASSES))
    weight = graph.constant("matmul", WEIGHTS["matmul"])
    graph.op(schema.BuiltinOperator.BATCH_MATMUL, [x, weight], [y], schema.BatchMatMulOptionsT())
    return finished(model, graph, x, y)


NETWORKS = {f.__name__: f() for f in (convolutional, transpose_conv, embedding, batch_matmul)}
# Weights on no steps, and inputs in pairs, one ten times the other: what is lost by rounding a weight of the large one
# can be made up for by that of the small one, even where that is zero.
ROUGH = mlp([WEIGHTS["scores"] * RNG.uniform(0.5, 1.5, WEIGHTS["scores"].shape)], [np.linspace(0.5, 2, CLASSES)])
PAIRS = (np.repeat(RNG.random((64, 1, HIDDEN // 2)), 2, axis=2) * np.tile([1, 0.1], HIDDEN // 2)).astype(np.float32)
OFFERED = [r.name for r in RECIPES if not r.refused and r.name != "none"]
CHOSEN = [
    f"{base}+{a.name}"
    for base in ("dynamic_wi8_afp32", "dynamic_wi4_afp32", "static_wi8_ai8")
    for a in ALGORITHMS
    if not a.refused and a.name != "min_max_uniform_quant"
]
SAME = {
    "dynamic_wi8_afp32",
    "dynamic_wi8c_afp32",
    "dynamic_wi4c_afp32",
    "static_wi8_ai8",
    "default_a8w8",
    "default_a16w8",
}
KEEPING = [n for n in OFFERED + CHOSEN if recipe_named(n).keeps_zeros]
CASES = [
    *(("convolutional", name) for name in KEEPING),
    *(("embedding", name) for name in CHOSEN if "4" in name and name in KEEPING),
    # Names that mean the same are not tried on every operator.
    *((network, n) for n in OFFERED if n in KEEPING and n not in SAME for network in NETWORKS if network[0] != "c"),
]


def samples(network: str, count: int = 16) -> Array:
    (x,) = (t.info() for t in Model.from_bytes(NETWORKS[network]).subgraphs[0].inputs if t is not None)
    if x.dtype == "int32":
        return np.arange(count).astype(np.int32).reshape(count, 1) % ROWS
    return np.random.default_rng(1).random((count, *x.shape)).astype(np.float32)


def answers(data: bytes, inputs: Array) -> dict[str, Array]:
    """Real-valued outputs on each kernel set, [n, ...]."""
    graph = Model.from_bytes(data).subgraphs[0]
    (x,), (y,) = ([t.info() for t in ts if t is not None] for ts in (graph.inputs, graph.outputs))
    stored = [x.quantize(s) if x.is_quantized and s.dtype.kind == "f" else s for s in inputs]
    found = {}
    for kernel_set in RESOLVERS:
        outputs = np.stack([run_here(data, s, kernel_set=kernel_set)[0] for s in stored])
        found[str(kernel_set)] = y.dequantize(outputs) if y.is_quantized else outputs
    return found


@cache
def expected(network: str) -> dict[str, Array]:
    return answers(NETWORKS[network], samples(network)[:4])


def tolerance(name: str) -> float:
    """Of the largest output: rounded activations, and weights that an algorithm moves off their steps."""
    if name == "float16":
        return 2e-3
    return {"": 0.03, "octav": 0.1, "mse": 0.15}.get(recipe_named(name).algorithm, 0.1)


def quantized(network: str, name: str) -> tuple[Model, list[QuantizedWeight]]:
    model = Model.from_bytes(NETWORKS[network])
    changes = Quantize(name, samples(network))(model)
    return model, [c for c in changes if isinstance(c, QuantizedWeight)]


def check(network: str, name: str) -> None:
    model, changes = quantized(network, name)
    for tensor in (t for graph in model.subgraphs for t in graph.tensors if t.is_constant):
        if tensor.scales is not None:
            assert (tensor.scales > 1e-9).all(), f"{tensor.name}: {tensor.scales.min()}"
            assert np.isfinite(tensor.scales).all(), tensor.name
    for change in changes:
        assert change.zeros_after >= change.zeros_before
        (tensor,) = (t for graph in model.subgraphs for t in graph.tensors if t.name == change.tensor)
        assert not tensor.array()[WEIGHTS[change.tensor] == 0].any()
        assert not np.any(tensor.quantization.zeroPoint if tensor.quantization is not None else 0)
    for kernel_set, found in answers(model.to_bytes(), samples(network)[:4]).items():
        wanted = expected(network)[kernel_set]
        error = np.abs(found - wanted).max() / np.abs(wanted).max()
        assert error <= tolerance(name), f"{kernel_set}: {error:.3f}"


@pytest.mark.slow
@pytest.mark.parametrize(("network", "name"), CASES)
def test_recipe_gives_a_model_that_agrees_on_every_kernel_set_and_keeps_zeros(network: str, name: str) -> None:
    check(network, name)


@pytest.mark.parametrize("name", [n for n in KEEPING if recipe_named(n).use_by("FULLY_CONNECTED")])
def test_recipe_knows_how_a_fully_connected_layer_uses_its_weights_afterwards(name: str) -> None:
    model = Model.from_bytes(NETWORKS["convolutional"])
    Quantize(name, samples("convolutional"))(model)
    uses = {site.use for site in weight_sites(model) if site.use.op == "FULLY_CONNECTED"}
    assert uses == {recipe_named(name).use_by("FULLY_CONNECTED")}


@pytest.mark.parametrize("name", ["sample_advanced_usage", "dynamic_legacy_wi8_afp32", "static_wi8_ai8+oscar"])
def test_recipe_with_several_types_of_weights_knows_no_single_use(name: str) -> None:
    assert recipe_named(name).use_by("FULLY_CONNECTED") is None


@pytest.mark.parametrize("name", [n for n in OFFERED + CHOSEN if not recipe_named(n).keeps_zeros])
def test_recipe_that_loses_zeros_is_refused_for_a_pruned_network_in_one_line(name: str) -> None:
    model = Model.from_bytes(ROUGH)
    before = model.to_bytes()
    with pytest.raises(ZerosLostError, match=r"keeps [\d,]+ of the [\d,]+ zeros of w0, which is pruned") as lost:
        Quantize(name, PAIRS)(model)
    assert "\n" not in str(lost.value)
    assert model.to_bytes() == before


@pytest.mark.parametrize("name", ["dynamic_wi8c_hr_afp32", "default_af32w8float", "dynamic_wi4_afp32+gptq"])
def test_loss_of_zeros_can_be_allowed_and_empty_channels_are_mended_all_the_same(name: str) -> None:
    model = Model.from_bytes(ROUGH)
    Quantize(name, PAIRS, allow_zero_loss=True)(model)
    scales = [t.scales for graph in model.subgraphs for t in graph.tensors if t.is_constant and t.scales is not None]
    assert all((s > 1e-9).all() for s in scales)
    wanted = answers(ROUGH, PAIRS[:4])
    for kernel_set, found in answers(model.to_bytes(), PAIRS[:4]).items():
        assert np.abs(found - wanted[kernel_set]).max() <= 0.1 * np.abs(wanted[kernel_set]).max(), kernel_set
