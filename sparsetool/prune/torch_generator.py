"""The random numbers that torch draws from a generator of its own, as `Dropout` without a seed does on that backend."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


def generator_state() -> NDArray[Any]:
    """Return the state of torch's generator, uint8 `[n]`; empty on the other backends, which have none."""
    if keras.backend.backend() != "torch":
        return np.zeros(0, np.uint8)
    import torch

    state: NDArray[Any] = torch.random.get_rng_state().numpy()
    return state


def set_generator_state(state: NDArray[Any]) -> None:
    """Put torch's generator where `generator_state` found it; nothing on the other backends."""
    if keras.backend.backend() == "torch":
        import torch

        torch.random.set_rng_state(torch.from_numpy(state))
