"""Bit-for-bit return of every array, and refusal of metadata that do not fit."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsetool_converters.errors import EncodingError
from sparsetool_converters.sparsity import (
    BlockFormat,
    DimensionFormat,
    EncodedTensor,
    block_csr,
    check,
    csr,
    decode,
    encode,
    encoded_bytes,
)

DTYPES = (np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.bool_)


@st.composite
def cases(draw: st.DrawFn) -> tuple[npt.NDArray[Any], BlockFormat]:
    """A layout, and an array that fits it, of any bits at all and with zeros in most places."""
    rank = draw(st.integers(1, 4))
    blocked = sorted(draw(st.sets(st.integers(0, rank - 1), max_size=2)))
    block_shape = [draw(st.integers(1, 5)) for _ in blocked]
    shape = [draw(st.integers(1, 5)) for _ in range(rank)]
    for dim, size in zip(blocked, block_shape, strict=True):
        shape[dim] *= size
    layout = BlockFormat(
        traversal_order=(
            *draw(st.permutations(range(rank))),
            *draw(st.permutations(range(rank, rank + len(blocked)))),
        ),
        formats=(
            *(draw(st.sampled_from(DimensionFormat)) for _ in range(rank)),
            *(DimensionFormat.DENSE,) * len(blocked),
        ),
        block_map=tuple(blocked),
        block_shape=tuple(block_shape),
    )
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    top = 2 if dtype == np.bool_ else 256
    bits = rng.integers(0, top, (*shape, dtype.itemsize), np.uint8)  # (..., bytes of an element)
    bits[rng.random(shape) < draw(st.sampled_from([0.0, 0.5, 0.9, 1.0]))] = 0
    if dtype.kind == "f":  # sign bit alone
        bits[rng.random(shape) < 0.1] = np.array(-0.0, dtype).reshape(1).view(np.uint8)
    return bits.view(dtype).reshape(shape), layout


@settings(max_examples=400, deadline=None)
@given(cases())
def test_decoding_gives_the_same_bits_and_counting_the_same_bytes(
    case: tuple[npt.NDArray[Any], BlockFormat],
) -> None:
    array, layout = case
    encoded = encode(array, layout)
    decoded = decode(encoded)
    assert (decoded.dtype, decoded.shape) == (array.dtype, array.shape)
    assert decoded.tobytes() == array.tobytes()
    assert encoded_bytes(array, layout) == encoded.payload_bytes


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_nan_payloads_and_negative_zeros_come_back(dtype: type[np.floating]) -> None:
    word = np.dtype(f"u{np.dtype(dtype).itemsize}")
    quiet, signalling = np.array(np.nan, dtype).view(word) + 5, np.array(np.inf, dtype).view(word) + 3
    bits = np.array([[0, quiet, 0, signalling], [0, 0, np.array(-0.0, dtype).view(word), 0]], word)
    for layout in (csr(2), block_csr((1, 2)), block_csr((2, 2))):
        assert decode(encode(bits.view(dtype), layout)).tobytes() == bits.tobytes()


def encoded_example() -> EncodedTensor:
    """Rows (1 2 0 0) and (0 0 0 3), element by element."""
    return encode(np.array([[1, 2, 0, 0], [0, 0, 0, 3]], np.int8), csr(2))


def with_level(**fields: Any) -> EncodedTensor:
    encoded = encoded_example()
    return replace(encoded, levels=(encoded.levels[0], replace(encoded.levels[1], **fields)))


def test_indices_out_of_order_are_read_as_they_stand() -> None:
    encoded = replace(with_level(indices=np.array([1, 0, 3])), values=np.array([2, 1, 3], np.int8))
    assert decode(encoded).tolist() == [[1, 2, 0, 0], [0, 0, 0, 3]]


@pytest.mark.parametrize(
    ("encoded", "rule"),
    [
        (with_level(segments=np.array([0, 2])), "must have 3 segment bounds, not 2"),
        (with_level(segments=np.array([0, 2, 3, 3])), "must have 3 segment bounds, not 4"),
        (with_level(segments=np.array([0, 4, 3])), "must rise from 0 to its 3 indices"),
        (with_level(segments=np.array([1, 2, 3])), "must rise from 0"),
        (with_level(segments=np.array([0, 2, 2**31 - 1])), "must rise from 0"),
        (with_level(segments=np.array([0, -1, 3])), "must rise from 0"),
        (with_level(segments=None), "segments .* must be a vector of integers, not none"),
        (with_level(indices=None), "indices .* must be a vector of integers, not none"),
        (with_level(indices=np.array([0.0, 1.0, 3.0])), "not float64"),
        (with_level(indices=np.array([[0, 1, 3]])), r"not int64 in \(1, 3\)"),
        (with_level(indices=np.array([0, 1])), "must rise from 0 to its 2 indices"),
        (with_level(indices=np.array([0, 4, 3])), r"must lie in 0\.\.3, not in 0\.\.4"),
        (with_level(indices=np.array([-1, 1, 3])), r"must lie in 0\.\.3, not in -1\.\.3"),
        (with_level(indices=np.array([1, 1, 3])), "some come twice"),
        (replace(encoded_example(), values=np.ones(2, np.int8)), "lead to 3 values, and there are 2"),
        (replace(encoded_example(), values=np.ones((3, 1), np.int8)), "must be a vector"),
        (replace(encoded_example(), shape=(3, 4)), "dense level 0 must have size 3, not 2"),
        (replace(encoded_example(), shape=(2, -4)), "without elements"),
        (replace(encoded_example(), shape=(8,)), "rank 2"),
        (
            replace(encoded_example(), shape=(2, 2**29)),
            "1,073,741,824 elements are more than the 268,435,456",
        ),
        (replace(encoded_example(), levels=()), "levels must have the layout's formats"),
        (replace(encoded_example(), block_format=block_csr((1, 2))), "levels must have the layout's formats"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(encoded: EncodedTensor, rule: str) -> None:
    with pytest.raises(EncodingError, match=rule):
        decode(encoded)
    if "are more than" not in rule:
        with pytest.raises(EncodingError, match=rule):
            check(encoded)


def test_check_accepts_an_array_of_any_size_without_making_it() -> None:
    columns = 2**20
    array = np.zeros((2, columns), np.int8)
    array[1, 5] = 3
    encoded = encode(array, csr(2))
    levels = (replace(encoded.levels[0], dense_size=2000), replace(encoded.levels[1], segments=np.arange(2001) > 1999))
    huge = replace(
        encoded, shape=(2000, columns), levels=(levels[0], replace(levels[1], segments=levels[1].segments + 0))
    )
    check(huge)
    with pytest.raises(EncodingError, match="2,097,152,000 elements are more than"):
        decode(huge)


def test_array_larger_than_allowed_is_refused() -> None:
    with pytest.raises(EncodingError, match="8 elements are more than the 7 allowed"):
        decode(encoded_example(), max_elements=7)


@settings(max_examples=300, deadline=None)
@given(cases(), st.data())
def test_any_damage_to_the_metadata_is_refused_or_harmless(
    case: tuple[npt.NDArray[Any], BlockFormat], data: st.DataObject
) -> None:
    encoded = encode(*case)
    number = data.draw(st.integers(0, len(encoded.levels) - 1))
    level, vectors = encoded.levels[number], st.lists(st.integers(-(2**31), 2**31 - 1), max_size=8)
    if level.format is DimensionFormat.DENSE:
        damaged = replace(level, dense_size=data.draw(st.integers(-(2**31), 2**31 - 1)))
    else:
        vector = np.array(data.draw(vectors), np.int64)
        damaged = data.draw(st.sampled_from([replace(level, segments=vector), replace(level, indices=vector)]))
    levels = (*encoded.levels[:number], damaged, *encoded.levels[number + 1 :])
    try:
        decoded = decode(replace(encoded, levels=levels))
    except EncodingError:
        return
    assert decoded.shape == encoded.shape
