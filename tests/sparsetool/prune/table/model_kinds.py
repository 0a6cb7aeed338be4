"""Small models of every kind that a pruner meets, each with something to learn by heart.

KINDS[name]() -> keras.Model      inputs as `samples` makes them, outputs logits [n, 3]
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

CLASSES = 3
SAMPLES = 48

Inputs = np.ndarray | list[np.ndarray]


def samples(model: keras.Model) -> tuple[Inputs, np.ndarray]:
    """Inputs that fit the model, and a class for each: 48 of them, to be learnt by heart."""
    random = np.random.default_rng(11)
    inputs = []
    for tensor in model.inputs:
        shape = (SAMPLES, *tensor.shape[1:])
        if "int" in keras.backend.standardize_dtype(tensor.dtype):
            inputs.append(random.integers(0, 20, shape).astype("int32"))
        else:
            inputs.append(random.normal(size=shape).astype("float32"))
    classes = random.integers(0, CLASSES, SAMPLES)
    return (inputs if len(inputs) > 1 else inputs[0]), classes


def _stack(shape: tuple[int, ...], *stack: keras.Layer, dtype: str = "float32") -> keras.Model:
    return keras.Sequential([keras.Input(shape, dtype=dtype), *stack, layers.Dense(CLASSES, name="logits")])


def _image(*stack: keras.Layer) -> keras.Model:
    return _stack((6, 6, 4), *stack, layers.Flatten())


def _series(*stack: keras.Layer) -> keras.Model:
    return _stack((7, 4), *stack)


def _functional() -> keras.Model:
    left, right = keras.Input((6,)), keras.Input((4,))
    joined = layers.concatenate([layers.Dense(8, activation="relu")(left), layers.Dense(8, activation="tanh")(right)])
    residual = layers.add([joined, layers.Dense(16)(joined)])
    return keras.Model([left, right], layers.Dense(CLASSES)(residual))


@keras.saving.register_keras_serializable("sparsetool_tests")
class Subclassed(keras.Model):
    """Layers made in the constructor, called by hand."""

    def __init__(self, **options):
        super().__init__(**options)
        self.first = layers.Dense(16, activation="relu")
        self.blocks = [layers.Dense(16, activation="relu") for _ in range(2)]
        self.last = layers.Dense(CLASSES)

    def call(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


@keras.saving.register_keras_serializable("sparsetool_tests")
class OwnWeight(keras.Model):
    """A model that has a weight of its own, in no layer."""

    def __init__(self, **options):
        super().__init__(**options)
        self.last = layers.Dense(CLASSES)

    def build(self, shape):
        self.mixing = self.add_weight(shape=(shape[-1], 12), initializer="glorot_uniform", name="mixing")
        self.last.build((None, 12))

    def call(self, x):
        return self.last(keras.ops.relu(keras.ops.matmul(x, self.mixing)))


@keras.saving.register_keras_serializable("sparsetool_tests")
class Mixture(keras.Layer):
    """A layer that Keras knows nothing of, with plain weights."""

    def build(self, shape):
        self.down = self.add_weight(shape=(shape[-1], 8), initializer="glorot_uniform", name="down")
        self.up = self.add_weight(shape=(8, shape[-1]), initializer="glorot_uniform", name="up")
        self.offset = self.add_weight(shape=(shape[-1],), initializer="zeros", name="offset")

    def call(self, x):
        hidden = keras.ops.tanh(keras.ops.matmul(x, self.down))
        return keras.ops.matmul(hidden, self.up) + self.offset


def _built(model: keras.Model, shape: tuple[int, ...]) -> keras.Model:
    """A subclassed model behind an input, so that `model.inputs` tells what it eats."""
    entry = keras.Input(shape)
    return keras.Model(entry, model(entry))


def _nested() -> keras.Model:
    encoder = keras.Sequential(
        [keras.Input((6,)), layers.Dense(12, activation="relu"), layers.Dense(8)], name="encoder"
    )
    entry = keras.Input((6,))
    inner = keras.Model(entry, layers.Dense(8, activation="relu")(encoder(entry)), name="inner")
    outer = keras.Input((6,))
    return keras.Model(outer, layers.Dense(CLASSES)(inner(outer)))


def _shared() -> keras.Model:
    tower = layers.Dense(12, activation="relu", name="tower")
    left, right = keras.Input((6,)), keras.Input((6,))
    return keras.Model([left, right], layers.Dense(CLASSES)(layers.concatenate([tower(left), tower(right)])))


def _attention() -> keras.Model:
    entry = keras.Input((7, 8))
    attended = layers.MultiHeadAttention(num_heads=2, key_dim=4)(entry, entry)
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(layers.add([entry, attended])))
    return keras.Model(entry, layers.Dense(CLASSES)(pooled))


def _constrained() -> keras.Model:
    return _stack(
        (6,), layers.Dense(16, activation="relu", kernel_constraint=keras.constraints.MaxNorm(1.0), name="hidden")
    )


def _regularized() -> keras.Model:
    return _stack(
        (6,),
        layers.Dense(16, activation="relu", kernel_regularizer="l2"),
        layers.BatchNormalization(),
        layers.Dropout(0.1, seed=1),
    )


def _frozen() -> keras.Model:
    return _stack((6,), layers.Dense(16, activation="relu", trainable=False, name="frozen"), layers.Dense(16))


KINDS: dict[str, Callable[[], keras.Model]] = {
    "sequential": lambda: _stack((6,), layers.Dense(16, activation="relu")),
    "functional, two inputs": _functional,
    "subclassed": lambda: _built(Subclassed(), (6,)),
    "nested": _nested,
    "shared layer": _shared,
    "custom layer": lambda: _stack((6,), Mixture()),
    "weight of the model": lambda: _built(OwnWeight(), (6,)),
    "constraint of the user's": _constrained,
    "regularized, normalized, dropout": _regularized,
    "partly frozen": _frozen,
    "EinsumDense": lambda: _stack((5, 4), layers.EinsumDense("abc,cd->abd", output_shape=(5, 6)), layers.Flatten()),
    "Embedding": lambda: _stack((7,), layers.Embedding(20, 8), layers.GlobalAveragePooling1D(), dtype="int32"),
    "MultiHeadAttention": _attention,
    "Conv1D": lambda: _series(layers.Conv1D(8, 3, activation="relu"), layers.Flatten()),
    "Conv2D": lambda: _image(layers.Conv2D(8, 3, activation="relu"), layers.BatchNormalization()),
    "Conv2D, groups": lambda: _image(layers.Conv2D(8, 3, groups=2, activation="relu")),
    "Conv3D": lambda: _stack((4, 4, 4, 2), layers.Conv3D(6, 2, activation="relu"), layers.Flatten()),
    "Conv1DTranspose": lambda: _series(layers.Conv1DTranspose(6, 3, activation="relu"), layers.Flatten()),
    "Conv2DTranspose": lambda: _image(layers.Conv2DTranspose(6, 3, activation="relu")),
    "DepthwiseConv2D": lambda: _image(layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu")),
    "SeparableConv1D": lambda: _series(layers.SeparableConv1D(8, 3, activation="relu"), layers.Flatten()),
    "SeparableConv2D": lambda: _image(layers.SeparableConv2D(8, 3, activation="relu")),
    "SimpleRNN": lambda: _series(layers.SimpleRNN(8)),
    "LSTM": lambda: _series(layers.LSTM(8)),
    "GRU": lambda: _series(layers.GRU(8)),
    "Bidirectional": lambda: _series(layers.Bidirectional(layers.LSTM(6))),
    "TimeDistributed": lambda: _series(layers.TimeDistributed(layers.Dense(6, activation="relu")), layers.Flatten()),
    "stacked cells": lambda: _series(layers.RNN([layers.GRUCell(6), layers.LSTMCell(6)])),
}
