"""What a rule may not say."""

import pytest

from sparsetool.prune import NOfM, PruningError, Rule


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, 1.5, float("nan")])
def test_a_target_outside_the_range_is_an_error(sparsity):
    with pytest.raises(PruningError, match=r"rule '\*/head': target_sparsity must be at least 0 and below 1; got"):
        Rule(pattern="*/head", target_sparsity=sparsity)


def test_a_target_of_nothing_is_allowed():
    assert Rule(target_sparsity=0.0).target_sparsity == 0.0


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"layers": "Conv2D"}, r"layers must be several names, as in \('Conv2D',\); got 'Conv2D'"),
        ({"operators": "CONV_2D"}, r"operators must be several names, as in \('CONV_2D',\); got 'CONV_2D'"),
        ({"structure": "1x4"}, "structure must be a Block, an NOfM or Channels; got '1x4'"),
        ({"structure": NOfM}, "structure must be a Block, an NOfM or Channels; got <class"),
        ({"max_columns": 8}, "max_columns and leave_misfits say where a structure fits; give it, too"),
        ({"leave_misfits": True}, "max_columns and leave_misfits say where a structure fits; give it, too"),
        ({"structure": NOfM(2, 4), "max_columns": 0}, "max_columns must be 1 or more; got 0"),
    ],
)
def test_what_a_rule_cannot_mean_is_an_error(given, problem):
    with pytest.raises(PruningError, match=rf"^rule '\*': {problem}"):
        Rule(**given)
