"""What is kept, in which order, and how many bytes that takes."""

import numpy as np
import pytest

from sparsetool_converters.errors import EncodingError
from sparsetool_converters.sparsity import BlockFormat, DimensionFormat, block_csr, csr, encode, encoded_bytes


def test_worked_example_of_one_by_two_blocks() -> None:
    encoded = encode(np.array([[1, 2, 0, 0], [0, 0, 0, 3]], np.int8), block_csr((1, 2)))
    rows, blocks, inside = encoded.levels
    assert (rows.format, rows.dense_size, rows.segments, rows.indices) == (
        DimensionFormat.DENSE,
        2,
        None,
        None,
    )
    assert (blocks.format, blocks.dense_size) == (DimensionFormat.SPARSE_CSR, 0)
    assert blocks.segments is not None
    assert blocks.indices is not None
    assert blocks.segments.tolist() == [0, 1, 2]
    assert blocks.indices.tolist() == [0, 1]
    assert inside.dense_size == 2
    assert encoded.values.tolist() == [1, 2, 0, 3]
    assert encoded.values.dtype == np.int8
    assert encoded.payload_bytes == 3 + 2 + 4


def test_two_compressed_levels_drop_empty_rows() -> None:
    layout = BlockFormat(traversal_order=(0, 1), formats=(DimensionFormat.SPARSE_CSR,) * 2)
    rows, columns = encode(np.array([[0, 0, 0], [0, 5, 6], [0, 0, 0]], np.float32), layout).levels
    assert rows.segments is not None
    assert rows.indices is not None
    assert (rows.segments.tolist(), rows.indices.tolist()) == ([0, 1], [1])
    assert columns.segments is not None
    assert columns.indices is not None
    assert (columns.segments.tolist(), columns.indices.tolist()) == ([0, 2], [1, 2])


def test_block_of_negative_zeros_is_kept() -> None:
    encoded = encode(np.array([[-0.0, -0.0, 0.0, 0.0]], np.float32), block_csr((1, 2)))
    assert encoded.values.view(np.uint32).tolist() == [0x80000000, 0x80000000]


def test_values_do_not_share_memory_with_the_array() -> None:
    array = np.ones((4, 4), np.float32)
    for layout in (csr(2), BlockFormat(traversal_order=(0, 1), formats=(DimensionFormat.DENSE,) * 2)):
        assert not np.shares_memory(encode(array, layout).values, array)


def test_array_that_is_not_contiguous_is_read_by_its_shape() -> None:
    array = np.arange(24, dtype=np.int16).reshape(4, 6)
    transposed = encode(array.T, csr(2))
    copied = encode(np.ascontiguousarray(array.T), csr(2))
    assert transposed.values.tolist() == copied.values.tolist()


@pytest.mark.parametrize(
    ("kept_column", "columns", "index_dtype"),
    [(255, 256, np.uint8), (255, 70_000, np.uint8), (256, 70_000, np.uint16), (65_536, 70_000, np.int32)],
)
def test_indices_are_as_narrow_as_the_last_kept_one(
    kept_column: int, columns: int, index_dtype: type[np.integer]
) -> None:
    array = np.zeros((2, columns), np.int8)
    array[1, kept_column] = 1
    level = encode(array, csr(2)).levels[1]
    assert level.indices is not None
    assert level.indices.dtype == index_dtype
    assert encoded_bytes(array, csr(2)) == encode(array, csr(2)).payload_bytes


@pytest.mark.parametrize(("kept", "dtype"), [(255, np.uint8), (256, np.uint16), (65_536, np.int32)])
def test_segments_are_as_narrow_as_their_count(kept: int, dtype: type[np.integer]) -> None:
    array = np.zeros((1, 65_536), np.int8)
    array[:, :kept] = 1
    level = encode(array, csr(2)).levels[1]
    assert level.segments is not None
    assert level.segments.dtype == dtype
    assert encoded_bytes(array, csr(2)) == encode(array, csr(2)).payload_bytes


def test_elements_of_sixteen_bytes_are_refused() -> None:
    with pytest.raises(EncodingError, match="complex128 have not"):
        encode(np.zeros((2, 2), np.complex128), csr(2))


def test_array_that_blocks_do_not_divide_is_refused() -> None:
    for act in (encode, encoded_bytes):
        with pytest.raises(EncodingError, match="30 elements of dimension 1 are not a multiple of block size 16"):
            act(np.zeros((4, 30), np.float32), block_csr((1, 16)))
