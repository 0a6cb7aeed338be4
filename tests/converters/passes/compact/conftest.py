"""What tests of compaction start from."""

import numpy as np
import pytest
from channel_networks import Network, Value


@pytest.fixture
def network():
    """A network with an image as its input."""

    def make(*, int8: bool = False, float16: bool = False, batch: int = 1) -> tuple[Network, Value]:
        net = Network(np.random.default_rng(3), int8=int8, float16=float16)
        return net, net.input((batch, 6, 6, 4))

    return make
