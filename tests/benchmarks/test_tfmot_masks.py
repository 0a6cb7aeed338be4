"""Which differences between two masks are ties."""

import numpy as np
from tfmot_masks import differences

SCORES = np.array([5, 2, 2, 2, 1])
TIED = SCORES == 2
THEIRS = SCORES >= 2  # 3 were asked for, 4 are kept


def _kept(*places: int) -> np.ndarray:
    return np.isin(np.arange(len(SCORES)), places)


def test_any_of_several_ties_may_be_kept() -> None:
    assert differences(_kept(0, 2, 3), THEIRS, TIED) == (1, 0)
    assert differences(_kept(0, 1, 2), THEIRS, TIED) == (1, 0)


def test_what_lies_above_or_below_the_threshold_must_be_the_same() -> None:
    assert differences(_kept(2, 3), THEIRS, TIED) == (1, 1)
    assert differences(_kept(0, 2, 3, 4), THEIRS, TIED) == (1, 1)


def test_ties_of_which_none_is_kept_are_differences() -> None:
    assert differences(_kept(0), THEIRS, TIED) == (0, 3)
