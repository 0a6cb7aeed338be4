"""Networks whose dead channels are cut, once the runtime says that nothing else changed."""

import numpy as np
from channel_networks import RELU, Array, Network, Value
from kernel_sets import assert_same_answers

from sparsetool_converters.model import Model
from sparsetool_converters.passes import Change, Compact

DEAD = np.array([0, 2])
HALF = np.array([-1.0, 0.5, 0.75, 0.25, -0.5, 1.0])  # biases: with RELU, dead channel 0 is zero, dead channel 2 is not
ONLY_ZERO = np.array([-1.0, 0.5, -0.75, 0.25, -0.5, 1.0])  # both dead channels are zero behind RELU


def compacted(net: Network, *outputs: Value) -> tuple[Model, list[Change]]:
    """The model after the pass, once it answers as before on every kernel set."""
    before = net.finished(*outputs)
    model = Model.from_bytes(before)
    changes = list(Compact()(model))
    after = model.to_bytes()
    for seed in range(3):
        assert_same_answers(before, after, net.samples(np.random.default_rng(seed)))
    if not changes:
        assert after == Model.from_bytes(before).to_bytes()
    assert Compact()(model) == []
    return Model.from_bytes(after), changes


def channels(model: Model, value: Value) -> int:
    """How many channels a tensor has."""
    return model.subgraphs[0].tensors[value.index].shape[-1]


def dead_conv(net: Network, x: Value, *, fused: int = RELU, bias: Array = HALF, **more: object) -> Value:
    return net.conv(x, 6, fused=fused, dead=DEAD, bias=bias, **more)  # type: ignore[arg-type]
