"""Values come back from every coding, bit for bit."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsetool_converters.codec.errors import WireFormatError
from sparsetool_converters.codec.regions import Coding
from sparsetool_converters.codec.values import from_streams, to_streams


def returned(streams: list[np.ndarray], coding: Coding, width: int, elements: int) -> np.ndarray:
    return from_streams([partial(np.asarray, stream) for stream in streams], coding, width, elements)


@settings(deadline=None)
@given(st.sampled_from(Coding), st.sampled_from((1, 2, 4, 8)), st.binary(max_size=400), st.integers(0, 300))
def test_values_come_back(coding: Coding, width: int, content: bytes, repeats: int) -> None:
    entries = np.frombuffer(content[: len(content) // width * width], f"<u{width}")
    elements = np.resize(entries, max(entries.size, repeats)) if entries.size else entries
    streams = to_streams(elements, coding)
    assert streams is not None or entries.size > 256
    if streams is not None:
        assert np.array_equal(returned(streams, coding, width, elements.size), elements)


def test_a_list_holds_256_values_and_no_more() -> None:
    assert to_streams(np.arange(256, dtype="<u4"), Coding.LIST) is not None
    assert to_streams(np.arange(257, dtype="<u4"), Coding.LIST) is None
    late = np.concatenate([np.zeros(2**15, "<u4"), np.arange(300, dtype="<u4")])
    assert to_streams(late, Coding.LIST) is None


def test_a_turned_float_has_its_exponent_in_plane_3() -> None:
    streams = to_streams(np.array([1.5, -1.5, 2.0], "<f4").view("<u4"), Coding.TURNED)
    assert streams is not None
    assert streams[3].tolist() == [127, 127, 128]
    assert streams[0].tolist() == [0, 1, 0]  # the signs


def test_a_choice_that_is_not_in_the_list_is_refused() -> None:
    with pytest.raises(WireFormatError, match="element 2 is not in a list of 2"):
        returned([np.array([5, 6], np.uint8), np.array([0, 2], np.uint8)], Coding.LIST, 1, 2)
