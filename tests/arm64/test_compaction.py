"""Networks whose dead channels were cut answer as before: on ARM64, too, integers are equal to the bit.

For many more than these: `python tests/try_random_networks.py`, run by the environment's Python.
"""

import platform

import numpy as np
import pytest
from channel_networks import Network
from kernel_sets import assert_same_answers
from random_networks import STEPS, grow

from sparsetool_converters.model import Model
from sparsetool_converters.passes import Compact

pytestmark = pytest.mark.skipif(platform.machine() != "aarch64", reason="runs on ARM64: make test-arm64")

MOST_STEPS = 6
N_INT8, N_FLOAT = 96, 24
N_SAMPLES = 30  # half-way sums are rare: so many find one


@pytest.mark.parametrize("seed", range(N_INT8))
def test_random_int8_networks_answer_as_before(seed: int) -> None:
    check(seed, int8=True)


@pytest.mark.parametrize("seed", range(N_FLOAT))
def test_random_float_networks_answer_as_before(seed: int) -> None:
    check(seed, int8=False)


def test_int8_layers_of_one_column_keep_their_kernel() -> None:
    """The one for at least 4 outputs and 8 inputs rounds half-way sums otherwise than the one for smaller layers."""
    net = Network(np.random.default_rng(5), int8=True)
    h = net.dense(net.input((1, 20)), 12, dead=np.arange(5, 12), bias=np.linspace(-1, 1, 12))
    before = net.finished(net.dense(h, 60))
    model = Model.from_bytes(before)
    Compact()(model)
    assert model.subgraphs[0].tensors[h.index].shape[-1] == 8
    after = model.to_bytes()
    for seed in range(N_SAMPLES):
        assert_same_answers(before, after, net.samples(np.random.default_rng(seed)))


def check(seed: int, *, int8: bool) -> None:
    rng = np.random.default_rng(seed)
    steps = [str(step) for step in rng.choice(list(STEPS), rng.integers(1, MOST_STEPS + 1))]
    before, samples = grow(seed, steps, int8=int8)
    model = Model.from_bytes(before)
    Compact()(model)
    try:
        assert_same_answers(before, model.to_bytes(), samples)
    except AssertionError as problem:
        kind = "int8" if int8 else "float"
        pytest.fail(f"cutting changes the {kind} network grow({seed}, {steps}): {problem}")
