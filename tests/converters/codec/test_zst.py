"""One frame, packed and unpacked; anything else is refused."""

import contextlib

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsetool_converters.codec import compress, decompress
from sparsetool_converters.codec.zst import MAX_CONTENT_BYTES
from sparsetool_converters.errors import ModelFormatError

CONTENT = np.random.default_rng(0).integers(0, 4, 3000, np.uint8).tobytes()
FRAME = compress(CONTENT)


@settings(deadline=None)
@given(st.binary(max_size=5000))
def test_unpacking_gives_the_bytes_back(data: bytes) -> None:
    assert decompress(compress(data)) == data


def test_content_of_many_blocks_comes_back() -> None:
    data = np.random.default_rng(1).integers(0, 256, 2**20, np.uint8).tobytes()  # a block holds 128 KiB at most
    assert decompress(compress(data)) == data


def test_frame_has_content_size_and_checksum() -> None:
    parameters = zstandard.get_frame_parameters(FRAME)
    assert parameters.content_size == len(CONTENT)
    assert parameters.has_checksum


def test_any_zstandard_tool_unpacks_the_frame() -> None:
    assert zstandard.ZstdDecompressor().decompress(FRAME) == CONTENT


def test_same_bytes_give_the_same_frame() -> None:
    assert compress(CONTENT) == FRAME


def test_flipped_byte_anywhere_is_refused() -> None:
    for position in range(len(FRAME)):
        damaged = bytearray(FRAME)
        damaged[position] ^= 0xFF
        with pytest.raises(ModelFormatError) as caught:
            decompress(bytes(damaged), where="model.tflz")
        assert str(caught.value).startswith("model.tflz: ")
        assert "\n" not in str(caught.value)


def test_flipped_bit_is_refused_or_changes_nothing() -> None:
    for position in range(len(FRAME)):
        for bit in range(8):
            damaged = bytearray(FRAME)
            damaged[position] ^= 1 << bit
            with contextlib.suppress(ModelFormatError):
                assert decompress(bytes(damaged)) == CONTENT  # one bit of the header has no meaning


def test_frame_cut_anywhere_is_refused() -> None:
    for length in range(len(FRAME)):
        with pytest.raises(ModelFormatError):
            decompress(FRAME[:length])


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_at_all_give_a_result_or_one_error(data: bytes) -> None:
    for frame in (data, FRAME[:4] + data, FRAME[:-20] + data):
        with contextlib.suppress(ModelFormatError):
            decompress(frame, max_bytes=2**20)


def test_bytes_behind_the_frame_are_refused() -> None:
    with pytest.raises(ModelFormatError, match="has 1 bytes behind its frame"):
        decompress(FRAME + b"\0")
    with pytest.raises(ModelFormatError, match="behind its frame"):
        decompress(FRAME + FRAME)


def test_frame_without_content_size_is_refused() -> None:
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(CONTENT)
    with pytest.raises(ModelFormatError, match="without content size"):
        decompress(frame)


def test_declared_size_over_the_cap_is_refused_before_anything_is_unpacked() -> None:
    with pytest.raises(ModelFormatError, match="declares 3,000 bytes, more than the 2,999 allowed"):
        decompress(FRAME, max_bytes=2999)
    assert decompress(FRAME, max_bytes=3000) == CONTENT
    # magic; single segment with 8 bytes of content size; an endless run of zeros could follow
    frame = b"\x28\xb5\x2f\xfd" + b"\xe0" + (MAX_CONTENT_BYTES + 1).to_bytes(8, "little")
    with pytest.raises(ModelFormatError, match="declares 2,147,483,649 bytes"):
        decompress(frame)


def test_frame_that_holds_more_than_it_declares_is_refused() -> None:
    data = bytes(10**6)
    frame = compress(data)
    assert frame[5:9] == (10**6).to_bytes(4, "little")
    with pytest.raises(ModelFormatError):
        decompress(frame[:5] + (1000).to_bytes(4, "little") + frame[9:], max_bytes=1000)


def test_skippable_frame_is_no_model() -> None:
    skippable = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"data"
    with pytest.raises(ModelFormatError):
        decompress(skippable)
