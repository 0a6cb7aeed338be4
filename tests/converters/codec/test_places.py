"""Places of kept units come back from gaps and masks; what leads elsewhere is refused."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsetool_converters.codec import places
from sparsetool_converters.codec.errors import WireFormatError
from sparsetool_converters.codec.places import from_gaps, from_mask, read_counts, to_gaps, to_mask

Drawn = tuple[npt.NDArray[np.int32], int, int]


@st.composite
def drawn_places(draw: st.DrawFn) -> Drawn:
    """Places, rows and columns; some rows empty, some full, gaps of all sizes."""
    rows = draw(st.sampled_from((1, 2, 3, 7, 40)))
    columns = draw(st.sampled_from((1, 2, 5, 255, 256, 700, 3000)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    density = rng.choice((0.0, 0.001, 0.02, 0.3, 1.0), (rows, 1))
    return np.flatnonzero(rng.random((rows, columns)) < density).astype(np.int32), rows, columns


def gone_through(kept: npt.NDArray[np.int32], rows: int, columns: int) -> None:
    sent = to_gaps(kept, rows, columns)
    counts = read_counts(sent.counts, rows, columns, kept.size)
    order = np.arange(kept.size) if sent.sent is None else sent.sent
    assert np.array_equal(np.sort(order), np.arange(kept.size))
    done = 0
    for batch in from_gaps(sent.gaps, counts, columns, ranked=True):
        here = order[batch.first : batch.first + batch.places.size]
        assert batch.first == done
        assert np.array_equal(batch.places, kept[here])
        assert batch.ranks is None or np.array_equal(batch.ranks, here)
        done += batch.places.size
    assert done == kept.size


@settings(deadline=None)
@given(drawn_places())
def test_gaps_lead_back_to_the_places(drawn: Drawn) -> None:
    gone_through(*drawn)


@pytest.mark.parametrize("slice_bytes", [1, 2, 7, 100])
def test_gaps_lead_back_however_they_are_sliced(slice_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_SLICE_BYTES", slice_bytes)
    rng = np.random.default_rng(slice_bytes)
    for rows, columns in ((1, 3000), (7, 700), (40, 20), (3, 1000)):
        for density in (0.002, 0.02, 0.5, 1.0):
            mask = rng.random((rows, columns)) < density * rng.choice((0, 0.3, 1), (rows, 1))
            gone_through(np.flatnonzero(mask).astype(np.int32), rows, columns)


def test_rows_are_sent_in_ascending_order_of_their_counts() -> None:
    sent = to_gaps(np.array([1, 3, 7], np.int32), 2, 4)
    assert sent.counts.tolist() == [2, 1]
    assert sent.gaps.tolist() == [3, 1, 1]
    assert sent.sent is not None
    assert sent.sent.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("gap", "sent"), [(0, [0]), (254, [254]), (255, [255, 0]), (600, [255, 255, 90]), (510, [255, 255, 0])]
)
def test_long_gaps_come_in_several_bytes(gap: int, sent: list[int]) -> None:
    assert to_gaps(np.array([gap], np.int32), 1, 1000).gaps.tolist() == sent


@pytest.mark.parametrize(
    ("gaps", "counts", "problem"),
    [
        ([3, 1, 2], [2, 1], "beyond the 4"),
        ([4, 1, 1], [2, 1], "beyond the 4"),
        ([3, 1, 1, 0], [2, 1], "more than the 3"),
        ([3, 1], [2, 1], "2 of 3 units"),
        ([3, 1, 255], [2, 1], "end inside"),
        ([255, 255, 0, 1, 1], [2, 1], "beyond the 4"),
    ],
)
def test_gaps_that_lead_elsewhere_are_refused(gaps: list[int], counts: list[int], problem: str) -> None:
    with pytest.raises(WireFormatError, match=problem):
        list(from_gaps(np.array(gaps, np.uint8), np.array(counts, np.int64), 4, ranked=False))


def test_counts_over_their_row_or_apart_from_their_sum_are_refused() -> None:
    with pytest.raises(WireFormatError, match="keeps 5"):
        read_counts(np.array([5, 0], np.uint8), 2, 4, 5)
    with pytest.raises(WireFormatError, match="keep 4 units, and the region 5"):
        read_counts(np.array([3, 1], np.uint8), 2, 4, 5)


@settings(deadline=None)
@given(drawn_places())
def test_masks_lead_back_to_the_places(drawn: Drawn) -> None:
    kept, rows, columns = drawn
    found = [batch.places for batch in from_mask(to_mask(kept, rows * columns), rows * columns, kept.size)]
    assert np.array_equal(np.concatenate(found), kept)


@pytest.mark.parametrize(
    ("mask", "kept", "problem"), [([0x10], 1, "behind its last"), ([3], 1, "more than 1"), ([3], 3, "2 units, not 3")]
)
def test_masks_of_other_counts_are_refused(mask: list[int], kept: int, problem: str) -> None:
    with pytest.raises(WireFormatError, match=problem):
        list(from_mask(np.array(mask, np.uint8), 4, kept))
