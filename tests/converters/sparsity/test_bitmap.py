"""The pruned form of the micro runtime's decoder: bits, and the values that are not left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsetool_converters.errors import EncodingError
from sparsetool_converters.sparsity import Bitmap, decode_bitmap, encode_bitmap

DTYPES = ("float32", "int8", "int16", "int32", "int64")
SHAPES = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6)


@st.composite
def arrays(draw):
    """Any bits at all, NaN payloads and -0.0 among them, with some runs of the fill."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(SHAPES)
    bits = draw(hnp.arrays(np.dtype(f"u{dtype.itemsize}"), shape))
    keep = draw(hnp.arrays(np.bool_, shape))
    return np.where(keep, bits, np.zeros((), bits.dtype)).view(dtype).reshape(shape)


@given(arrays())
def test_decoding_gives_every_bit_back(array):
    fill = np.zeros((), array.dtype)
    bitmap = encode_bitmap(array, fill)
    back = decode_bitmap(bitmap, array.shape, fill)
    assert (back.shape, back.dtype) == (array.shape, array.dtype)
    assert back.tobytes() == array.tobytes()
    assert bitmap.bits.size == (array.size + 7) // 8
    assert bitmap.nbytes == bitmap.bits.size + bitmap.values.nbytes


@given(hnp.arrays(np.int8, hnp.array_shapes(min_dims=2, max_dims=4, max_side=6)), st.integers(-128, 127), st.booleans())
def test_what_is_left_out_is_the_fill_of_its_channel(array, zero_point, last):
    axis = array.ndim - 1 if last else 0
    shape = [1] * array.ndim
    shape[axis] = array.shape[axis]
    fill = (np.arange(array.shape[axis]) + zero_point).astype(np.int8).reshape(shape)
    bitmap = encode_bitmap(array, fill)
    assert bitmap.values.size == np.count_nonzero(array != fill)
    assert decode_bitmap(bitmap, array.shape, fill).tobytes() == array.tobytes()


def test_first_element_is_in_the_highest_bit():
    bitmap = encode_bitmap(np.array([0, 7, 0, 0, 0, 0, -1, 0, 5], np.int8), np.int8(0))
    assert bitmap.bits.tolist() == [0b01000010, 0b10000000]
    assert bitmap.values.tolist() == [7, -1, 5]


def test_negative_zero_is_stored():
    assert encode_bitmap(np.array([0.0, -0.0], np.float32), np.float32(0)).values.tobytes() == b"\0\0\0\x80"


@pytest.mark.parametrize("zeros", [True, False])
def test_all_zeros_and_none(zeros):
    array = np.zeros(1000, np.float32) if zeros else np.ones(1000, np.float32)
    bitmap = encode_bitmap(array, np.float32(0))
    assert bitmap.nbytes == 125 + (0 if zeros else 4000)


def test_bitmap_of_another_length_is_refused():
    with pytest.raises(EncodingError, match="a bitmap of 2 bytes for 4 elements"):
        decode_bitmap(Bitmap(bits=np.zeros(2, np.uint8), values=np.zeros(0, np.int8)), (4,), np.int8(0))


def test_missing_values_are_refused():
    with pytest.raises(EncodingError, match="has 1 values for 4 bits that are set"):
        decode_bitmap(Bitmap(bits=np.array([0xF0], np.uint8), values=np.ones(1, np.int8)), (4,), np.int8(0))
