"""Zeros that are put on the TFLite layout lie in these very blocks in the exported file."""

import numpy as np
import pytest

from sparsetool import prune
from sparsetool.export import export_model
from sparsetool.prune.masks import keep_mask
from sparsetool.prune.structures import Block, Channels, NOfM
from sparsetool_converters.model import Model
from sparsetool_converters.weights import weight_sites

pytestmark = pytest.mark.keras


def as_stored(array):
    """FULLY_CONNECTED [out, in] and CONV_2D [out, h, w, in]."""
    return array


def as_keras_has_it(array):
    """CONV_3D [d, h, w, in, out] and BATCH_MATMUL [..., in, out]."""
    return np.moveaxis(array, -1, 0)


def as_keras_has_it_transposed(array):
    """CONV_3D_TRANSPOSE [d, h, w, out, in]."""
    return np.moveaxis(array, -2, 0)


WIDE, FLAT = Block((2, 4)), Block((1, 4))
FULLY, CONV, DEPTHWISE = ["FULLY_CONNECTED"], ["CONV_2D"], ["DEPTHWISE_CONV_2D"]
CELL = FULLY * 2

# Input shape, layer, block, operators of its weights in the file, how those lie there.
LAYERS = {
    "Dense": ((8,), lambda k: k.Dense(12), WIDE, FULLY, as_stored),
    "Dense on a sequence": ((5, 8), lambda k: k.Dense(12), WIDE, FULLY, as_stored),
    "TimeDistributed": ((5, 8), lambda k: k.TimeDistributed(k.Dense(12)), WIDE, FULLY, as_stored),
    "EinsumDense": ((5, 8), lambda k: k.EinsumDense("abc,cd->abd", output_shape=(None, 12)), WIDE, FULLY, as_stored),
    "EinsumDense to heads": (
        (5, 8),
        lambda k: k.EinsumDense("abc,cde->abde", output_shape=(None, 3, 4)),
        WIDE,
        FULLY,
        as_stored,
    ),
    "EinsumDense of heads": (
        (5, 3, 4),
        lambda k: k.EinsumDense("abcd,cde->abe", output_shape=(None, 6)),
        WIDE,
        FULLY,
        as_stored,
    ),
    "EinsumDense of heads, crossed": (
        (5, 4, 3),
        lambda k: k.EinsumDense("abdc,cde->abe", output_shape=(None, 6)),
        WIDE,
        FULLY,
        as_stored,
    ),
    "EinsumDense to heads, crossed": (
        (5, 8),
        lambda k: k.EinsumDense("abc,cde->abed", output_shape=(None, 4, 6)),
        WIDE,
        FULLY,
        as_stored,
    ),
    "EinsumDense, outputs first": (
        (5, 8),
        lambda k: k.EinsumDense("abc,dc->abd", output_shape=(None, 12)),
        WIDE,
        FULLY,
        as_stored,
    ),
    "EinsumDense of the middle": (
        (8, 3),
        lambda k: k.EinsumDense("abc,bd->adc", output_shape=(12, 3)),
        WIDE,
        FULLY,
        as_stored,
    ),
    "EinsumDense per head": (
        (3, 8),
        lambda k: k.EinsumDense("bhi,hio->bho", output_shape=(3, 12)),
        WIDE,
        ["BATCH_MATMUL"],
        as_keras_has_it,
    ),
    "Embedding": ((5,), lambda k: k.Embedding(20, 8), WIDE, ["GATHER"], as_stored),
    "Conv1D": ((10, 8), lambda k: k.Conv1D(12, 3), WIDE, CONV, as_stored),
    "Conv2D": ((6, 6, 8), lambda k: k.Conv2D(12, 3), WIDE, CONV, as_stored),
    "Conv2D 1x1": ((6, 6, 8), lambda k: k.Conv2D(12, 1), WIDE, CONV, as_stored),
    "Conv2D in groups": ((6, 6, 8), lambda k: k.Conv2D(12, 3, groups=2), WIDE, CONV, as_stored),
    "Conv2D, channels first": (
        (8, 6, 6),
        lambda k: k.Conv2D(12, 3, data_format="channels_first"),
        WIDE,
        CONV,
        as_stored,
    ),
    "Conv2D, dilated": ((9, 9, 8), lambda k: k.Conv2D(12, 3, dilation_rate=2), WIDE, CONV, as_stored),
    "Conv3D": ((5, 6, 6, 8), lambda k: k.Conv3D(12, 3), WIDE, ["CONV_3D"], as_keras_has_it),
    "Conv1DTranspose": ((10, 8), lambda k: k.Conv1DTranspose(12, 3), WIDE, ["TRANSPOSE_CONV"], as_stored),
    "Conv2DTranspose": ((6, 6, 8), lambda k: k.Conv2DTranspose(12, 3), WIDE, ["TRANSPOSE_CONV"], as_stored),
    "Conv3DTranspose": (
        (4, 4, 4, 8),
        lambda k: k.Conv3DTranspose(12, 3),
        WIDE,
        ["CONV_3D_TRANSPOSE"],
        as_keras_has_it_transposed,
    ),
    "DepthwiseConv1D": (
        (10, 6),
        lambda k: k.DepthwiseConv1D(3, depth_multiplier=2),
        FLAT,
        DEPTHWISE,
        as_stored,
    ),
    "DepthwiseConv2D": (
        (6, 6, 6),
        lambda k: k.DepthwiseConv2D(3, depth_multiplier=2),
        FLAT,
        DEPTHWISE,
        as_stored,
    ),
    "SeparableConv1D": (
        (10, 6),
        lambda k: k.SeparableConv1D(12, 3, depth_multiplier=2),
        FLAT,
        DEPTHWISE + CONV,
        as_stored,
    ),
    "SeparableConv2D": (
        (6, 6, 6),
        lambda k: k.SeparableConv2D(12, 3, depth_multiplier=2),
        FLAT,
        DEPTHWISE + CONV,
        as_stored,
    ),
    "SimpleRNN": ((5, 8), lambda k: k.SimpleRNN(12), WIDE, CELL, as_stored),
    "LSTM": ((5, 8), lambda k: k.LSTM(12), WIDE, CELL, as_stored),
    "LSTM, unrolled": ((5, 8), lambda k: k.LSTM(12, unroll=True), WIDE, CELL, as_stored),
    "GRU": ((5, 8), lambda k: k.GRU(12), WIDE, CELL, as_stored),
    "GRU, reset before": ((5, 8), lambda k: k.GRU(12, reset_after=False), WIDE, CELL, as_stored),
    "Bidirectional": ((5, 8), lambda k: k.Bidirectional(k.LSTM(12)), WIDE, CELL * 2, as_stored),
    "stacked cells": (
        (5, 8),
        lambda k: k.RNN([k.LSTMCell(12), k.GRUCell(4)]),
        WIDE,
        CELL * 2,
        as_stored,
    ),
    "ConvLSTM1D": ((4, 6, 8), lambda k: k.ConvLSTM1D(12, 3), WIDE, CONV * 2, as_stored),
    "ConvLSTM3D": ((3, 4, 4, 4, 8), lambda k: k.ConvLSTM3D(12, 2), WIDE, ["CONV_3D"] * 2, as_keras_has_it),
    "ConvLSTM2D": ((4, 6, 6, 8), lambda k: k.ConvLSTM2D(12, 3), WIDE, CONV * 2, as_stored),
}


def _attention(kind, **sizes):
    import keras

    x = keras.Input((6, 16))
    return keras.Model(x, getattr(keras.layers, kind)(**sizes)(x, x))


def _prune_half(selection):
    """Fill each chosen variable with numbers that occur once, and prune half of them by its structure."""
    random = np.random.default_rng(0)
    for chosen in selection.pruned:
        values = random.permutation(np.arange(1, 1 + np.prod(chosen.layout.tflite_shape), dtype=np.float32))
        values = values.reshape(chosen.layout.tflite_shape)
        kept = keep_mask(values, 0.5, chosen.structure)
        chosen.variable.assign(chosen.layout.from_tflite(np.where(kept, values, np.float32(0))))


def _zero_half_of_the_blocks(selection):
    """Fill each chosen variable with numbers that occur once, and zero every other block at random."""
    random = np.random.default_rng(0)
    first = 1
    for chosen in selection.pruned:
        shape, (rows, columns) = chosen.layout.tflite_shape, chosen.structure.block_size
        values = np.arange(first, first + np.prod(shape), dtype=np.float32).reshape(shape)
        first += values.size
        out, *middle, last = shape
        blocked = values.reshape(out // rows, rows, *middle, last // columns, columns)
        blocked *= (random.random((out // rows, 1, *middle, last // columns, 1)) < 0.5).astype(np.float32)
        chosen.variable.assign(chosen.layout.from_tflite(values))


def _weights_in(data, variable):
    """The constants of a file that hold numbers of this variable, which nothing else holds."""
    numbers = variable.numpy()
    numbers = numbers[numbers != 0]
    found = []
    for graph in Model.from_bytes(data).subgraphs:
        constants = [t for t in graph.tensors if t.is_constant and t.type_name == "FLOAT32"]
        found += [t.array() for t in constants if np.isin(t.array(), numbers).any()]
    return found


def _half_zero_blocks(array, block_size):
    """How many blocks hold both zeros and other numbers."""
    (rows, columns), (out, *middle, last) = block_size, array.shape
    zeros = (array == 0).reshape(out // rows, rows, *middle, last // columns, columns)
    counts = np.moveaxis(zeros, 1, -1).sum(axis=(-1, -2))
    return int(((counts > 0) & (counts < rows * columns)).sum())


def _assert_blocks_are_kept(model, block, operators, seen_as):
    selection = prune.select_variables(model, structure=block)
    assert [chosen.layout.operator for chosen in selection.pruned] == operators
    _zero_half_of_the_blocks(selection)
    data = export_model(model)
    for chosen in selection.pruned:
        stored = _weights_in(data, chosen.variable)
        zeros, size = np.count_nonzero(chosen.variable.numpy() == 0), chosen.variable.numpy().size
        assert sum(array.size for array in stored) == size
        assert sum(np.count_nonzero(array == 0) for array in stored) == zeros
        assert 0 < zeros < size
        for array in stored:
            assert _half_zero_blocks(seen_as(array), block.block_size) == 0
    stored_operators = [site.use.op for site in weight_sites(Model.from_bytes(data))]
    assert not {op for op in operators if op != "CONV_3D_TRANSPOSE"} - set(stored_operators)


@pytest.mark.parametrize("name", LAYERS)
def test_blocks_on_the_layout_are_blocks_in_the_file(name):
    import keras

    shape, layer, block, operators, seen_as = LAYERS[name]
    _assert_blocks_are_kept(keras.Sequential([keras.Input(shape), layer(keras.layers)]), block, operators, seen_as)


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("MultiHeadAttention", {"num_heads": 3, "key_dim": 4}),
        ("GroupQueryAttention", {"head_dim": 4, "num_query_heads": 4, "num_key_value_heads": 2}),
    ],
)
def test_blocks_of_attention_are_blocks_in_the_file(kind, sizes):
    _assert_blocks_are_kept(_attention(kind, **sizes), Block((2, 4)), ["FULLY_CONNECTED"] * 4, as_stored)


@pytest.mark.parametrize("tied", [True, False])
def test_blocks_of_an_embedding_that_is_used_backwards_are_blocks_in_the_file(tied):
    import keras

    tokens = keras.Input((5,), dtype="int32")
    embedding = keras.layers.ReversibleEmbedding(20, 8, tie_weights=tied)
    model = keras.Model(tokens, embedding(embedding(tokens), reverse=True))
    _assert_blocks_are_kept(model, WIDE, ["GATHER"] if tied else ["GATHER", "FULLY_CONNECTED"], as_stored)


@pytest.mark.parametrize("name", ["Dense", "EinsumDense of heads, crossed", "Conv2D", "Embedding", "LSTM"])
def test_n_of_m_on_the_layout_is_n_of_m_in_the_file(name):
    import keras

    shape, layer, *_ = LAYERS[name]
    model = keras.Sequential([keras.Input(shape), layer(keras.layers)])
    selection = prune.select_variables(model, structure=NOfM(2, 4))
    _prune_half(selection)
    largest = max(selection.pruned, key=lambda chosen: chosen.variable.numpy().size)
    stored = [t for t in _weights_in(export_model(model), largest.variable) if t.size == largest.variable.numpy().size]
    (array,) = stored
    assert set(np.count_nonzero(array.reshape(-1, 4), axis=1)) == {2}


# An output of a recurrent layer is a unit, with all of its gates.
@pytest.mark.parametrize(("name", "gates"), [("Dense", 1), ("Conv2D", 1), ("Conv2DTranspose", 1), ("LSTM", 4)])
def test_channels_on_the_layout_are_rows_in_the_file(name, gates):
    import keras

    shape, layer, *_ = LAYERS[name]
    model = keras.Sequential([keras.Input(shape), layer(keras.layers)])
    selection = prune.select_variables(model, structure=Channels())
    _prune_half(selection)
    chosen = selection.pruned[0]
    array = next(t for t in _weights_in(export_model(model), chosen.variable) if t.size == chosen.variable.numpy().size)
    kept = array.reshape(gates, 12, -1).any(axis=2)  # of each unit, gate by gate
    assert kept.sum(axis=1).tolist() == [6] * gates
    assert (kept == kept[0]).all()
    assert (array.reshape(gates, 12, -1).all(axis=2) == kept).all()
