"""Sentences on sparse kernels: which model, which kernels, which processor."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed

from sparsetool.bench import Processor
from sparsetool.pipeline.sparse_kernels import sparse_sentences
from sparsetool_converters.model import Model
from sparsetool_converters.passes import EncodeSparse
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT, KernelSet

X86 = Processor(name="x86_64", is_x86=True, flags=frozenset({"sse2", "avx"}))
OLD_X86 = Processor(name="x86_64", is_x86=True, flags=frozenset({"sse2"}))
ARM = Processor(name="aarch64", is_x86=False, flags=frozenset({"asimd"}))


def encoded(data: bytes) -> Model:
    model = Model.from_bytes(data)
    assert EncodeSparse(make_plan(model, LITERT))(model)
    return Model.from_bytes(model.to_bytes())


def convolution(zeros: float) -> Model:
    """One 1x1 convolution whose weights are stored sparse behind DENSIFY."""
    weight = np.ones((64, 1, 1, 64), np.float32)
    weight.reshape(-1)[: round(zeros * weight.size)] = 0
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 8, 8, 64)), graph.tensor("y", (1, 8, 8, 64))
    w, b = graph.constant("w", weight), graph.constant("b", np.zeros(64, np.float32))
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    graph.op(schema.BuiltinOperator.CONV_2D, [x, w, b], [y], options)
    graph.ends([x], [y])
    return encoded(packed(model))


def sentences(model: Model, *, kernel_set=KernelSet.DEFAULT, processor=X86, operators=()) -> tuple[str, ...]:
    return sparse_sentences(model, "m", kernel_set=kernel_set, processor=processor, operators=operators)


def test_a_dense_model_has_one_sentence():
    model = Model.from_bytes(mlp([np.ones((4, 16), np.float32)]))
    assert sentences(model) == ("m: no weight is stored sparse, so dense kernels run all of them.",)


@pytest.mark.parametrize("processor", [X86, ARM])
def test_native_weights_engage_sparse_kernels_on_every_processor(processor):
    pruned = np.ones((64, 64), np.float32)
    pruned[:, 8:] = 0
    (first, second) = sentences(encoded(mlp([pruned, pruned, np.ones((4, 64), np.float32)])), processor=processor)
    assert first.startswith(
        "m: FULLY_CONNECTED with FLOAT32 weights and FLOAT32 activations, stored block 1x4, 2 times: the sparse "
        "kernels of the runtime read them as they are; for one row of activations"
    )
    assert second.endswith("activations, stored dense, 1 time: dense kernels run.")


def test_behind_densify_dense_kernels_run_and_load_takes_longer():
    assert (
        "the runtime unpacks them at load and gives its kernels dense weights (unpacked at load"
        in sentences(convolution(0.9))[0]
    )


@pytest.mark.parametrize(
    ("zeros", "how", "said"),
    [
        (0.9, {"processor": X86}, "never run on an x86 processor with AVX, as this is one"),
        (0.9, {"kernel_set": KernelSet.NO_DELEGATES, "processor": ARM}, "are no part of the no-delegates kernels"),
        (0.6, {"processor": ARM}, "need more than 67% zeros in 1x1 convolutions, which have 60%"),
        (0.9, {"processor": ARM, "operators": ("Convolution (NCHW, F32) SPMM",)}, "run 1 operators, by the runtime's"),
        (0.9, {"processor": OLD_X86, "operators": ("Convolution GEMM",)}, "run none, by the runtime's own profile"),
        (0.9, {"processor": ARM}, "may run here; they do where the cluster begins with a 3x3 convolution"),
    ],
)
def test_sparse_convolutions_have_gates(zeros, how, said):
    assert said in sentences(convolution(zeros), **how)[-1]
