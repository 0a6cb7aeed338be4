"""Random networks with dead channels answer as before, whatever was taken out of them."""

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from kernel_sets import assert_same_answers
from random_networks import STEPS, grow

from sparsetool_converters.model import Model
from sparsetool_converters.passes import Compact

SEEDS = st.integers(0, 2**32 - 1)
WAYS = st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=9)


def check(seed: int, steps: list[str], *, int8: bool) -> None:
    before, samples = grow(seed, steps, int8=int8)
    model = Model.from_bytes(before)
    changes = Compact()(model)
    event("cut" if changes else "left alone")
    after = model.to_bytes()
    if not changes:
        assert after == Model.from_bytes(before).to_bytes()
        return
    assert_same_answers(before, after, samples)
    assert Compact()(model) == []


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=SEEDS, steps=WAYS, int8=st.booleans())
def test_some_random_networks_answer_as_before(seed, steps, int8):
    check(seed, steps, int8=int8)


@pytest.mark.slow
@pytest.mark.parametrize("int8", [False, True], ids=["float", "int8"])
@settings(max_examples=200, deadline=None)
@given(seed=SEEDS, steps=WAYS)
def test_many_random_networks_answer_as_before(seed, steps, int8):
    check(seed, steps, int8=int8)
