"""XNNPACK's sparse inference of whole convolutional networks, which x86 with AVX never takes.

It reads a network as sparse if a DENSIFY is among its operators, more than two thirds of the weights of all 1x1
convolutions are zero, and it begins with a 3x3 convolution of stride 2 whose padding is 1 on all four sides
(xnn_subgraph_rewrite_for_nchw, src/subgraph.c @ 75db3c0). It sums in another order, and that is how it shows.
"""

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, new_model, packed

from sparsetool.verify import KernelSet
from sparsetool_converters import LITERT, EncodeSparse, Model, make_plan

pytestmark = pytest.mark.skipif(platform.machine() != "aarch64", reason="runs on ARM64: make test-arm64")

RunForked = Callable[[list[bytes], KernelSet], list[npt.NDArray[Any]]]
SIDE = 64
SYMMETRIC, AS_KERAS = (1, 1), (0, 1)
RELU6 = schema.ActivationFunctionType.RELU6
VALID, SAME = schema.Padding.VALID, schema.Padding.SAME


def test_symmetric_padding_takes_the_sparse_path(run_forked: RunForked) -> None:
    dense, encoded = run_forked(twins(SYMMETRIC, zeros=0.75), KernelSet.DEFAULT)
    assert not np.array_equal(encoded, dense), "XNNPACK did not take its sparse path"
    np.testing.assert_allclose(encoded, dense, rtol=0, atol=1e-5 * np.abs(dense).max())


@pytest.mark.parametrize(("padding", "zeros"), [(AS_KERAS, 0.75), (SYMMETRIC, 0.60)], ids=["padding", "too few zeros"])
def test_others_are_computed_exactly_as_dense(padding: tuple[int, int], zeros: float, run_forked: RunForked) -> None:
    dense, encoded = run_forked(twins(padding, zeros=zeros), KernelSet.DEFAULT)
    np.testing.assert_array_equal(encoded, dense)


def twins(padding: tuple[int, int], *, zeros: float) -> list[bytes]:
    """A network as it is, and with its 1x1 convolutions behind DENSIFY."""
    dense = network(padding, zeros=zeros)
    model = Model.from_bytes(dense)
    plan = make_plan(model, LITERT)
    assert {decision.name for decision in plan.encoded()} == {"pointwise0", "pointwise1", "pointwise2"}
    EncodeSparse(plan)(model)
    return [dense, bytes(model.to_bytes())]


def network(padding: tuple[int, int], *, zeros: float) -> bytes:
    """A small MobileNet: one 3x3 convolution, depthwise and 1x1 convolutions in turn, the mean over the image.

    Args:
        padding: rows before and after, and columns, wherever the stride is 2.
        zeros: share of zeros in the weights of the 1x1 convolutions.
    """
    layers = _Layers(padding)
    layers.convolution("first", 16, kernel=3, stride=2)
    for i, (channels, stride) in enumerate([(32, 1), (64, 2), (64, 1)]):
        layers.depthwise(f"depthwise{i}", stride=stride)
        layers.convolution(f"pointwise{i}", channels, zeros=zeros)
    return layers.finished()


class _Layers:
    """Appends layers to a network; an image is [1, side, side, channels]."""

    def __init__(self, padding: tuple[int, int]) -> None:
        self.padding, self.random = padding, np.random.default_rng(11)
        self.model = new_model()
        self.graph = Graph(self.model)
        self.side, self.channels = SIDE, 3
        self.first = self.last = self.graph.tensor("x", self._shape())

    def convolution(
        self, name: str, channels: int, *, kernel: int = 1, stride: int = 1, zeros: float | None = None
    ) -> None:
        weight = self._weight((channels, kernel, kernel, self.channels), fan_in=kernel**2 * self.channels)
        if zeros is not None:
            weight[self._chosen(weight.shape, zeros)] = 0.0
        self._pad(name, stride)
        self.channels = channels
        options = schema.Conv2DOptionsT(
            padding=VALID if stride == 2 else SAME, strideH=stride, strideW=stride, fusedActivationFunction=RELU6
        )
        self._apply("CONV_2D", name, [weight, self._bias()], options)

    def depthwise(self, name: str, *, stride: int) -> None:
        weight = self._weight((1, 3, 3, self.channels), fan_in=9)
        self._pad(name, stride)
        options = schema.DepthwiseConv2DOptionsT(
            padding=VALID if stride == 2 else SAME,
            strideH=stride,
            strideW=stride,
            depthMultiplier=1,
            fusedActivationFunction=RELU6,
        )
        self._apply("DEPTHWISE_CONV_2D", name, [weight, self._bias()], options)

    def finished(self) -> bytes:
        axes = self.graph.constant("axes", np.array([1, 2], np.int32))
        y = self.graph.tensor("y", (1, self.channels))
        self.graph.op(schema.BuiltinOperator.MEAN, [self.last, axes], [y], schema.ReducerOptionsT())
        self.graph.ends([self.first], [y])
        return packed(self.model)

    def _pad(self, name: str, stride: int) -> None:
        """A stride of 2 gets its padding from an operator, and halves the side."""
        if stride == 1:
            return
        amounts = self.graph.constant(
            f"{name}/amounts", np.array([(0, 0), self.padding, self.padding, (0, 0)], np.int32)
        )
        full, self.side = self.side, self.side + sum(self.padding)
        padded = self.graph.tensor(f"{name}/padded", self._shape())
        self.graph.op(schema.BuiltinOperator.PAD, [self.last, amounts], [padded], schema.PadOptionsT())
        self.last, self.side = padded, full // 2

    def _apply(self, op: str, name: str, constants: list[npt.NDArray[Any]], options: Any) -> None:
        weight, bias = constants
        inputs = [self.last, self.graph.constant(name, weight), self.graph.constant(f"{name}/bias", bias)]
        self.last = self.graph.tensor(f"{name}/output", self._shape())
        self.graph.op(getattr(schema.BuiltinOperator, op), inputs, [self.last], options)

    def _shape(self) -> tuple[int, ...]:
        return (1, self.side, self.side, self.channels)

    def _weight(self, shape: tuple[int, ...], *, fan_in: int) -> npt.NDArray[np.float32]:
        return (self.random.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)

    def _bias(self) -> npt.NDArray[np.float32]:
        return (self.random.standard_normal(self.channels) / 4).astype(np.float32)

    def _chosen(self, shape: tuple[int, ...], share: float) -> npt.NDArray[np.bool_]:
        """True at exactly this share of places."""
        size = int(np.prod(shape))
        chosen = np.arange(size) < round(share * size)
        return self.random.permutation(chosen).reshape(shape)
