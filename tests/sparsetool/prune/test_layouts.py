"""Each layout, there and back, and on arrays small enough to read."""

import numpy as np
import pytest

from sparsetool import prune
from sparsetool.prune.layouts import Layout, layout_of
from sparsetool.prune.structures import Block

pytestmark = pytest.mark.keras


class Named:
    """What a layout is asked of: a shape and a name."""

    def __init__(self, shape, name):
        self.shape, self.name = shape, name


def layout(layer, shape, name="kernel"):
    found = layout_of(layer, Named(shape, name))
    assert found is not None
    return found


def on_tflite(layer, array, name="kernel"):
    array = np.array(array)
    return layout(layer, array.shape, name).to_tflite(array).tolist()


def _layers():
    from keras import layers

    cell = ("kernel", "recurrent_kernel")
    return [
        (layers.Dense(3), (5, 3), "kernel", (3, 5)),
        (layers.EinsumDense("abc,cde->abde", (None, 3, 4)), (5, 3, 4), "kernel", (12, 5)),
        (layers.EinsumDense("abdc,cde->abe", (None, 6)), (3, 4, 6), "kernel", (6, 12)),
        (layers.EinsumDense("bhi,hio->bho", (3, 2)), (3, 5, 2), "kernel", (2, 3, 5)),
        (layers.EinsumDense("...x,xy->...y", 3), (5, 3), "kernel", (3, 5)),
        (layers.Embedding(7, 3), (7, 3), "embeddings", (7, 3)),
        (layers.Conv1D(3, 2), (2, 5, 3), "kernel", (3, 2, 5)),
        (layers.Conv2D(3, 2), (2, 4, 5, 3), "kernel", (3, 2, 4, 5)),
        (layers.Conv3D(3, 2), (2, 4, 6, 5, 3), "kernel", (3, 2, 4, 6, 5)),
        (layers.Conv1DTranspose(3, 2), (2, 3, 5), "kernel", (3, 2, 5)),
        (layers.Conv2DTranspose(3, 2), (2, 4, 3, 5), "kernel", (3, 2, 4, 5)),
        (layers.Conv3DTranspose(3, 2), (2, 4, 6, 3, 5), "kernel", (3, 2, 4, 6, 5)),
        (layers.DepthwiseConv1D(2), (2, 5, 3), "kernel", (1, 2, 15)),
        (layers.DepthwiseConv2D(2), (2, 4, 5, 3), "kernel", (1, 2, 4, 15)),
        (layers.SeparableConv1D(3, 2), (2, 5, 3), "depthwise_kernel", (1, 2, 15)),
        (layers.SeparableConv2D(3, 2), (1, 1, 15, 3), "pointwise_kernel", (3, 1, 1, 15)),
        *((layers.SimpleRNNCell(3), (5, 3), name, (3, 5)) for name in cell),
        *((layers.LSTMCell(3), (5, 12), name, (3, 4, 5)) for name in cell),
        *((layers.GRUCell(3), (5, 9), name, (3, 3, 5)) for name in cell),
        *((layers.ConvLSTM2D(3, 2).cell, (2, 4, 5, 12), name, (3, 4, 2, 4, 5)) for name in cell),
        (layers.Layer(), (2, 5, 3), "mixture", (3, 2, 5)),
        (None, (5, 3), "table", (3, 5)),
    ]


def test_there_and_back_is_the_same_array_whatever_its_strides():
    for layer, shape, name, tflite_shape in _layers():
        found = layout(layer, shape, name)
        array = np.arange(np.prod(shape)).reshape(shape)
        there = found.to_tflite(array)
        assert there.shape == found.tflite_shape == tflite_shape, type(layer).__name__
        for way in (there, np.ascontiguousarray(there), np.asfortranarray(there)):
            assert np.array_equal(found.from_tflite(way), array), type(layer).__name__


def test_what_needs_no_merging_is_a_view():
    for layer, shape, name, _ in _layers():
        if type(layer).__name__ == "EinsumDense":
            continue
        array = np.zeros(shape)
        assert np.shares_memory(layout(layer, shape, name).to_tflite(array), array), type(layer).__name__


def test_a_dense_kernel_is_transposed():
    from keras import layers

    assert on_tflite(layers.Dense(2), [[1, 2], [3, 4], [5, 6]]) == [[1, 3, 5], [2, 4, 6]]


def test_heads_lie_one_below_the_other():
    from keras import layers

    to_heads = layers.EinsumDense("abc,cde->abde", (None, 2, 2))
    kernel = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]  # (in, head, key)
    assert on_tflite(to_heads, kernel) == [[1, 5], [2, 6], [3, 7], [4, 8]]
    of_heads = layers.EinsumDense("abcd,cde->abe", (None, 2))  # (head, key, out)
    assert on_tflite(of_heads, kernel) == [[1, 3, 5, 7], [2, 4, 6, 8]]


def test_inputs_lie_in_the_order_of_the_activations():
    from keras import layers

    crossed = layers.EinsumDense("abdc,cde->abe", (None, 1))
    assert on_tflite(crossed, [[[1], [2]], [[3], [4]]]) == [[1, 3, 2, 4]]


def test_channels_of_a_depthwise_kernel_lie_side_by_side():
    from keras import layers

    assert on_tflite(layers.DepthwiseConv1D(1), [[[1, 2], [3, 4]]]) == [[[1, 2, 3, 4]]]


def test_each_unit_of_a_recurrent_kernel_has_its_gates_apart():
    from keras import layers

    kernel = [[1, 2, 3, 4, 5, 6]]  # 3 gates of 2 units
    assert on_tflite(layers.GRUCell(2), kernel) == [[[1], [3], [5]], [[2], [4], [6]]]


def test_no_block_straddles_two_gates():
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((3, 8)), layers.GRU(5, name="gru")], name="m")
    with pytest.raises(prune.PruningError, match="m/gru/gru_cell/kernel: its 5 outputs are not a multiple of the 2"):
        prune.select_variables(model, structure=Block((2, 4)))  # of 15 rows, 2 and 3 would lie in two gates


def test_a_subclass_counts_as_its_base_and_what_it_adds_as_a_matrix():
    from keras import layers

    class Gated(layers.DepthwiseConv2D):
        pass

    assert layout(Gated(2), (2, 2, 4, 3)).operator == "DEPTHWISE_CONV_2D"
    added = layout(Gated(2), (4, 3), "mixture")
    assert (added.tflite_shape, added.operator) == ((3, 4), "")


def test_a_kernel_that_a_subclass_shapes_otherwise_counts_as_that_of_a_custom_layer():
    from keras import layers

    for layer in (layers.LSTMCell(4), layers.EinsumDense("abc,cde->abde", (None, 3, 4))):
        found = layout(layer, (5, 7))
        assert (found.tflite_shape, found.operator) == ((7, 5), "")


@pytest.mark.parametrize(
    ("shape", "name"), [((3,), "kernel"), ((1, 1, 4), "token"), ((2, 3), "bias"), ((2, 3), "lora_kernel_a")]
)
def test_what_is_no_matrix_has_no_layout(shape, name):
    from keras import layers

    assert layout_of(layers.Layer(), Named(shape, name)) is None


def test_nothing_summed_is_no_matrix():
    from keras import layers

    assert layout_of(layers.EinsumDense("abc,bc->abc", (2, 3)), Named((2, 3), "kernel")) is None


def test_a_layout_is_a_value():
    from keras import layers

    first, second = (layout(layers.Dense(3), (5, 3)) for _ in range(2))
    assert isinstance(first, Layout)
    assert first == second
    assert hash(first) == hash(second)
