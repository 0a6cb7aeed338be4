"""The schedule of a recipe, and the function that it may name."""

import pytest

from sparsetool.pipeline.schedule_source import schedule_of, schedule_source
from sparsetool.prune import CallableSchedule, ConstantSparsity, PolynomialDecay, PruningError
from sparsetool.recipe import PruneSection
from sparsetool_converters.errors import UsageError


def section(**schedule):
    return PruneSection(epochs=1, schedule=schedule)


@pytest.mark.parametrize(
    ("described", "schedule"),
    [
        (
            {"type": "ConstantSparsity", "target_sparsity": 0.75, "begin_step": 5, "frequency": 7},
            ConstantSparsity(target_sparsity=0.75, begin_step=5, end_step=-1, frequency=7),
        ),
        (
            {
                "type": "PolynomialDecay",
                "initial_sparsity": 0.25,
                "final_sparsity": 0.75,
                "begin_step": 5,
                "end_step": 50,
                "power": 2,
                "frequency": 7,
            },
            PolynomialDecay(
                initial_sparsity=0.25, final_sparsity=0.75, begin_step=5, end_step=50, power=2, frequency=7
            ),
        ),
    ],
)
def test_a_schedule_means_what_the_recipe_says(described, schedule, tmp_path):
    assert schedule_of(PruneSection(epochs=1, schedule=described), tmp_path) == schedule


@pytest.fixture
def curve(tmp_path):
    """A file with a function, and the section that names it."""
    (tmp_path / "curve.py").write_text("def curve(step):\n    return step / 1000\n\nother = 3\n")
    return section(type="CallableSchedule", function="curve.py:curve", end_step=500, frequency=50)


def test_a_function_is_taken_from_its_file_beside_the_recipe(curve, tmp_path):
    schedule = schedule_of(curve, tmp_path)
    assert isinstance(schedule, CallableSchedule)
    assert (schedule.begin_step, schedule.end_step, schedule.frequency) == (0, 500, 50)
    assert [schedule.sparsity(step) for step in (0, 250, 500)] == [0.0, 0.25, 0.5]


def test_results_depend_on_the_file_of_the_function(curve, tmp_path):
    assert schedule_source(curve, tmp_path) == (tmp_path / "curve.py").read_bytes()
    assert schedule_source(section(type="ConstantSparsity", target_sparsity=0.5, begin_step=0), tmp_path) == b""


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("missing.py:curve", r"missing\.py: no such file; the recipe's prune\.schedule\.function must name one"),
        ("curve.py:missing", r"curve\.py: has no function missing\(\)"),
        ("curve.py:other", r"curve\.py: has no function other\(\)"),
    ],
)
def test_a_function_that_is_not_there_is_refused(curve, tmp_path, function, problem):
    with pytest.raises(UsageError, match=problem):
        schedule_of(section(type="CallableSchedule", function=function), tmp_path)


def test_steps_that_cannot_be_are_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(PruningError, match="end_step: must be after begin_step"):
        schedule_of(section(type="PolynomialDecay", final_sparsity=0.5, begin_step=10, end_step=5), tmp_path)
