"""A network small enough to train in a second, and something to train it on."""

import numpy as np
import pytest


@pytest.fixture
def build():
    """Return an untrained network of one convolution and two dense layers, the same at each call."""

    def small():
        import keras

        keras.utils.set_random_seed(7)
        return keras.Sequential(
            [
                keras.Input((8, 8, 1), name="image"),
                keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
                keras.layers.Flatten(name="flatten"),
                keras.layers.Dense(16, activation="relu", name="hidden"),
                keras.layers.Dense(4, name="logits"),
            ],
            name="small",
        )

    return small


@pytest.fixture
def small_model(build):
    """One such network."""
    return build()


@pytest.fixture
def samples():
    """200 images float32 [200, 8, 8, 1] of which the brightest quarter is the class."""
    random = np.random.default_rng(3)
    y = random.integers(0, 4, 200)
    x = random.random((200, 8, 8, 1), np.float32)
    x[np.arange(200), 2 * y] += 1
    return x, y


@pytest.fixture
def fit(samples):
    """Compile where that is still to do, then train for some epochs of 10 steps."""

    def run(model, *callbacks, epochs=2, optimizer="adam", **compile_options):
        import keras

        if not model.compiled:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(optimizer, loss, **compile_options)
        model.fit(*samples, batch_size=20, epochs=epochs, verbose=0, callbacks=list(callbacks))

    return run


@pytest.fixture
def zeros():
    """Count the zeros of each kernel of a model, by the name of its layer."""

    def count(model):
        kernels = {layer.name: layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")}
        return {name: int((kernel == 0).sum()) for name, kernel in kernels.items()}

    return count
