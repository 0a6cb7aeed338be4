"""Networks of random layers, many of whose channels are dead in one way or another."""

from collections.abc import Callable, Sequence

import numpy as np
from channel_networks import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID, Array, Mask, Network, Value

FUSED = (NONE, RELU, RELU6, RELU_N1_TO_1)
CHANNELS = (2, 4, 6, 20, 37)
SIDE = 6


class Grown:
    """A network that grows by steps; each reads the last tensor, some an earlier one too."""

    def __init__(self, seed: int, *, int8: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.net = Network(self.rng, int8=int8, float16=not int8 and bool(self.rng.random() < 0.3))
        self.values = [self.net.input((int(self.rng.integers(1, 3)), SIDE, SIDE, 3))]
        self.constants: dict[tuple[int, int], tuple[int, int]] = {}

    @property
    def last(self) -> Value:
        return self.values[-1]

    def dead(self, channels: int) -> Array:
        """Outputs whose filters are zero: few, many or all."""
        return np.flatnonzero(self.rng.random(channels) < self.rng.choice([0.0, 0.4, 0.8, 1.0], p=[0.3, 0.4, 0.2, 0.1]))

    def unread(self, channels: int) -> Mask:
        return np.asarray(self.rng.random(channels) < self.rng.choice([0.0, 0.3, 0.7]))

    def bias(self, channels: int) -> Array | None:
        if self.rng.random() < 0.2:
            return None
        bias = self.rng.uniform(-2, 2, channels)
        bias[self.rng.random(channels) < 0.3] = 0
        return np.asarray(bias)

    def fused(self) -> int:
        return int(self.rng.choice(FUSED))

    def other(self) -> Value | None:
        """An earlier tensor that fits beside the last."""
        fitting = [v for v in self.values[:-1] if v.shape == self.last.shape]
        return fitting[self.rng.integers(len(fitting))] if fitting else None

    def add(self, value: Value) -> None:
        self.values.append(value)


def convolution(g: Grown) -> None:
    if len(g.last.shape) != 4:
        return
    channels = int(g.rng.choice(CHANNELS))
    kernel, padding = int(g.rng.choice([1, 2, 3])), int(g.rng.choice([SAME, VALID]))
    if min(g.last.shape[1:3]) < 5:
        padding = SAME
    g.add(_conv(g, channels, kernel, padding))


def _conv(g: Grown, channels: int, kernel: int, padding: int) -> Value:
    dilation = 2 if kernel == 2 and g.rng.random() < 0.3 else 1
    stride = int(g.rng.integers(1, 3)) if dilation == 1 and g.last.shape[1] > 3 else 1
    return g.net.conv(
        g.last,
        channels,
        kernel=kernel,
        stride=stride,
        padding=padding,
        fused=g.fused(),
        dead=g.dead(channels),
        bias=g.bias(channels),
        unread=g.unread(channels),
        dilation=dilation,
    )


def depthwise(g: Grown) -> None:
    if len(g.last.shape) == 4:
        multiplier = int(g.rng.choice([1, 1, 2]))
        channels = g.last.channels * multiplier
        g.add(
            g.net.depthwise(
                g.last,
                multiplier=multiplier,
                kernel=int(g.rng.choice([1, 3])),
                fused=g.fused(),
                dead=g.dead(channels),
                bias=g.bias(channels),
            )
        )


def upwards(g: Grown) -> None:
    if len(g.last.shape) == 4 and g.last.shape[1] <= SIDE:
        channels = int(g.rng.choice(CHANNELS))
        g.add(g.net.transpose_conv(g.last, channels, dead=g.dead(channels)))


def layer(g: Grown) -> None:
    units = int(g.rng.choice(CHANNELS))
    g.add(g.net.dense(g.last, units, fused=g.fused(), dead=g.dead(units), bias=g.bias(units), unread=g.unread(units)))


def branch(g: Grown) -> None:
    """A second layer beside the last one, of the same shape, on the same input."""
    *_, x, y = [None, *g.values]
    if x is not None and len(x.shape) == 4 and x.shape[:3] == y.shape[:3]:
        channels = y.channels
        dead = g.dead(channels)
        g.add(g.net.conv(x, channels, fused=g.fused(), dead=dead, bias=g.bias(channels), unread=y.unread))


def twice(g: Grown) -> None:
    """The same layer on two tensors, with the same constants."""
    if len(g.last.shape) == 4 and not g.net.int8:
        channels = g.last.channels
        weight = g.net.weight((channels, 1, 1, channels), g.dead(channels), g.last.unread)
        constants = g.net.weight_and_bias(g.last, g.last, weight, g.rng.uniform(-2, 2, channels), 0)
        first = g.net.conv(g.last, channels, constants=constants, fused=g.fused(), unread=g.last.unread)
        g.add(first)
        g.add(g.net.conv(first, channels, constants=constants, unread=g.unread(channels)))


def join(name: str) -> Callable[[Grown], None]:
    def step(g: Grown) -> None:
        other = g.other() or (g.last if g.rng.random() < 0.5 else None)
        if other is None:
            return
        if name in ("MAXIMUM", "MINIMUM") and other.quantization != g.last.quantization:
            return
        g.add(g.net.binary(name, g.last, other, NONE if name in ("MAXIMUM", "MINIMUM") else g.fused()))

    return step


def with_constant(name: str) -> Callable[[Grown], None]:
    def step(g: Grown) -> None:
        numbers = g.rng.uniform(-1, 1, g.last.channels)
        numbers[g.rng.random(g.last.channels) < 0.4] = 0
        g.add(g.net.with_constant(name, g.last, numbers, g.fused()))

    return step


def unary(name: str) -> Callable[[Grown], None]:
    return lambda g: g.add(g.net.unary(name, g.last))


def prelu(g: Grown) -> None:
    if len(g.last.shape) == 4:
        g.add(g.net.prelu(g.last))


def pool(name: str) -> Callable[[Grown], None]:
    def step(g: Grown) -> None:
        if len(g.last.shape) == 4 and min(g.last.shape[1:3]) > 1:
            g.add(g.net.pool(name, g.last, padding=int(g.rng.choice([SAME, VALID])), fused=g.fused()))

    return step


def mean(g: Grown) -> None:
    if len(g.last.shape) == 4:
        g.add(g.net.mean(g.last, keep_dims=bool(g.rng.random() < 0.5)))


def pad(g: Grown) -> None:
    if len(g.last.shape) == 4:
        g.add(g.net.pad(g.last))


def concatenate(g: Grown) -> None:
    fitting = [v for v in g.values if v.shape[:-1] == g.last.shape[:-1] and v.quantization == g.last.quantization]
    parts = [fitting[i] for i in g.rng.integers(0, len(fitting), 2)]
    axis = -1
    if parts[0].shape == parts[1].shape and g.rng.random() < 0.3:
        axis = 1 if len(parts[0].shape) == 4 else -1
    g.add(g.net.concatenate(parts, axis))


def flatten(g: Grown) -> None:
    if len(g.last.shape) == 4:
        columns = int(np.prod(g.last.shape[1:]))
        g.add(
            g.net.reshape(
                g.last, (g.last.shape[0], columns), as_written=(g.last.shape[0], int(g.rng.choice([-1, columns])))
            )
        )


def resize(g: Grown) -> None:
    if len(g.last.shape) == 4 and g.last.shape[1] <= SIDE:
        g.add(g.net.resize(g.last, str(g.rng.choice(["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"]))))


STEPS: dict[str, Callable[[Grown], None]] = {
    "convolution": convolution,
    "depthwise": depthwise,
    "transposed convolution": upwards,
    "layer": layer,
    "branch": branch,
    "same layer twice": twice,
    "flatten": flatten,
    "concatenation": concatenate,
    "mean": mean,
    "pad": pad,
    "prelu": prelu,
    "resize": resize,
    **{name: join(name) for name in ("ADD", "SUB", "MUL", "MAXIMUM")},
    **{f"{name} a constant": with_constant(name) for name in ("ADD", "MUL")},
    **{name: unary(name) for name in ("RELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "TANH")},
    **{name: pool(name) for name in ("MAX_POOL_2D", "AVERAGE_POOL_2D")},
}


def grow(seed: int, steps: Sequence[str], *, int8: bool) -> tuple[bytes, list[Array]]:
    """A network that starts with a convolution and ends with a layer, and one sample for it.

    Some tensor on the way may be an output too.
    """
    g = Grown(seed, int8=int8)
    for step in ("convolution", *steps, "convolution"):
        STEPS[step](g)
    outputs = [g.net.dense(g.last, 3, bias=g.rng.uniform(-1, 1, 3))]
    if g.rng.random() < 0.25:
        outputs.append(g.values[g.rng.integers(1, len(g.values))])
    return g.net.finished(*outputs), g.net.samples(g.rng)
