"""The MNIST network of the demo, its images, and its weights by the names of its layers."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool.pipeline.user_model import UserModel

MNIST = UserModel(Path(__file__).parents[2] / "models" / "mnist_cnn" / "model.py")

Weights = dict[str, npt.NDArray[np.float32]]  # by LAYER/i, in the order of the layer's get_weights()


def weights_of(model: Any) -> Weights:
    return {f"{layer.name}/{i}": array for layer in model.layers for i, array in enumerate(layer.get_weights())}


def network(weights: Weights) -> Any:
    """A new one with these weights."""
    model = MNIST.build()
    for layer in model.layers:
        layer.set_weights([weights[f"{layer.name}/{i}"] for i in range(len(layer.get_weights()))])
    return model


def compile_for_training(model: Any, learning_rate: float, *, decay_steps: int | None = None) -> None:
    """Compile with Adam, whose rate falls along a cosine to 0 in so many steps, None for a rate that stays."""
    import keras

    rate = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps) if decay_steps else learning_rate
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
