import pytest

from sparsetool import prune
from sparsetool.pipeline.structure_source import rules_of, structure_of
from sparsetool.recipe import ForTargetSection, PolynomialDecaySection, PruneSection, RuleSection, StructureSection

SCHEDULE = PolynomialDecaySection(type="PolynomialDecay", final_sparsity=0.5, begin_step=0, end_step="50%")


@pytest.mark.parametrize(
    ("said", "structure"),
    [
        ({}, None),
        ({"block_size": (1, 4)}, prune.Block((1, 4))),
        ({"block_size": (1, 4), "block_pooling_type": "MAX"}, prune.Block((1, 4), "MAX")),
        ({"n_of_m": (2, 4)}, prune.NOfM(2, 4)),
        ({"channels": True}, prune.Channels()),
        ({"channels": True, "block_pooling_type": "MAX"}, prune.Channels("MAX")),
    ],
)
def test_a_recipes_words_make_the_structure_of_the_same_name(said, structure):
    assert structure_of(StructureSection(**said)) == structure


def test_an_n_of_m_that_prunes_nothing_is_refused():
    with pytest.raises(prune.PruningError, match="n:m: needs whole numbers with 1 <= n < m; got 4:4"):
        structure_of(StructureSection(n_of_m=(4, 4)))


@pytest.mark.keras
def test_rules_of_a_target_come_before_those_of_the_recipe_which_win():
    own = RuleSection(pattern="*hidden*", target_sparsity=0.8, block_size=(1, 16))
    section = PruneSection(epochs=1, schedule=SCHEDULE, for_target=ForTargetSection(target="litert"), rules=(own,))
    *of_target, last = rules_of(section)
    assert tuple(of_target) == tuple(prune.for_target("litert"))
    assert last == prune.Rule(pattern="*hidden*", target_sparsity=0.8, structure=prune.Block((1, 16)))
