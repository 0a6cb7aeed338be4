"""Widths of segment and index vectors."""

import numpy as np
import pytest

from sparsetool_converters.sparsity import narrowest


@pytest.mark.parametrize(
    ("largest", "dtype"),
    [
        (0, np.uint8),
        (255, np.uint8),
        (256, np.uint16),
        (65_535, np.uint16),
        (65_536, np.int32),
        (2**31 - 1, np.int32),
    ],
)
def test_narrowest_type_of_the_schema_holds_the_largest(largest: int, dtype: type[np.integer]) -> None:
    narrowed = narrowest(np.array([0, largest], np.int64))
    assert narrowed.dtype == dtype
    assert narrowed.tolist() == [0, largest]


def test_empty_vector_is_of_bytes() -> None:
    assert narrowest(np.array([], np.int64)).dtype == np.uint8
