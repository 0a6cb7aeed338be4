"""`prune --dry-run`: the schedule against the length of training, and one line for a schedule that will not do."""

import pytest

pytestmark = pytest.mark.keras

MODEL = """\
import numpy as np

def build():
    import keras
    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((8,)), dense(16, name="hidden"), dense(2, name="out")])

def data():
    x, y = np.zeros((100, 8), np.float32), np.zeros(100, np.int64)
    return {"train": (x, y), "validation": (x, y), "test": (x, y)}

def curve(step):
    return min(0.8, step / 40)
"""
RECIPE = """\
[model]
source = "model.py"
[train]
epochs = 1
[prune]
epochs = 5
batch_size = 10
{more}
schedule = {schedule}
[[artifacts]]
name = "pruned"
"""


@pytest.fixture
def dry_run(sparsetool, tmp_path):
    """Runs it on a recipe with this schedule, for training of 50 steps in 5 epochs."""
    (tmp_path / "model.py").write_text(MODEL)

    def run(schedule, *options, more=""):
        (tmp_path / "recipe.toml").write_text(RECIPE.format(schedule=schedule, more=more))
        return sparsetool("prune", "recipe.toml", "--dry-run", *options)

    yield run
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["model.py", "recipe.toml"]


def test_json_has_every_refresh_and_every_variable(dry_run):
    done = dry_run(
        '{ type = "PolynomialDecay", final_sparsity = 0.5, begin_step = "1 epoch", end_step = "80%", frequency = 10 }',
        "--json",
    )
    assert done.code == 0, done.err
    plan = done.json
    assert (plan["schema_version"], plan["kind"]) == (1, "prune plan")
    assert (plan["epochs"], plan["steps"], plan["steps_per_epoch"]) == (5, 50, 10)
    assert [(r["step"], r["epoch"]) for r in plan["refreshes"]] == [(10, 1.0), (20, 2.0), (30, 3.0), (40, 4.0)]
    assert [r["sparsity"] for r in plan["refreshes"]] == pytest.approx(
        [0.5 - 0.5 * left**3 for left in (1, 2 / 3, 1 / 3, 0)]
    )
    assert {v["variable"]: (v["weights"], v["target_zeros"]) for v in plan["variables"]} == {
        "hidden/kernel": (128, 64),
        "out/kernel": (32, 16),
    }
    assert {skip["variable"] for skip in plan["skipped"]} == {"hidden/bias", "out/bias"}
    assert all(skip["reason"] for skip in plan["skipped"])


def test_tables_have_bars_and_reasons(dry_run):
    done = dry_run('{ type = "ConstantSparsity", target_sparsity = 0.5, begin_step = 20, frequency = 10 }')
    assert (done.code, done.err) == (0, "")
    assert "━" * 20 in done.out
    assert "training: 50 steps; epochs: 5 of 10 steps" in done.out
    assert "refreshes: 3, from 40% to 80% of the run; 10 steps are left" in done.out


def test_a_function_beside_the_recipe_is_asked(dry_run):
    done = dry_run('{ type = "CallableSchedule", function = "model.py:curve", frequency = 16 }', "--json")
    assert done.code == 0, done.err
    assert [(r["step"], r["sparsity"]) for r in done.json["refreshes"]] == [(0, 0.0), (16, 0.4), (32, 0.8), (48, 0.8)]


def test_of_a_global_scope_only_the_rank_decides(dry_run):
    schedule = '{ type = "ConstantSparsity", target_sparsity = 0.5, begin_step = 0 }'
    done = dry_run(schedule, "--json", more='scope = "global"')
    assert done.code == 0, done.err
    assert [variable["target_zeros"] for variable in done.json["variables"]] == [None, None]


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        (
            '{ type = "ConstantSparsity", target_sparsity = 0.5, begin_step = 50 }',
            "schedule: never prunes: the last step of this training that can refresh masks is 49",
        ),
        (
            '{ type = "PolynomialDecay", final_sparsity = 0.5, begin_step = 0, end_step = 1000, frequency = 20 }',
            "schedule: never reaches its target: ",
        ),
        (
            '{ type = "PolynomialDecay", final_sparsity = 0.5, begin_step = 0, end_step = 30, frequency = 20 }',
            "schedule: never reaches its target: ",
        ),
        (
            '{ type = "PolynomialDecay", final_sparsity = 0.5, begin_step = 0, end_step = "100%" }',
            "end_step: must be after begin_step",
        ),
        ('{ type = "CallableSchedule", function = "model.py:missing" }', "model.py: has no function missing()"),
        ('{ type = "CallableSchedule", function = "model.py:data" }', "data: failed at step "),
    ],
)
def test_a_schedule_that_will_not_do_is_2_and_one_line(dry_run, schedule, problem):
    assert dry_run(schedule).error(2).startswith(problem)


def test_a_dry_run_has_nothing_to_record(dry_run):
    schedule = '{ type = "ConstantSparsity", target_sparsity = 0.5, begin_step = 0 }'
    assert dry_run(schedule, "--record", "record").error(2).startswith("--dry-run trains nothing")


def test_a_pattern_that_matches_nothing_is_2_and_one_line(dry_run):
    schedule = '{ type = "ConstantSparsity", target_sparsity = 0.5, begin_step = 0 }'
    assert "hiden" in dry_run(schedule, more='include = ["hiden/kernel"]').error(2)


def test_a_recipe_whose_schedule_will_not_do_is_refused_before_the_dense_phase_is_trained(
    dry_run, sparsetool, tmp_path
):
    dry_run('{ type = "ConstantSparsity", target_sparsity = 0.5, begin_step = 50 }')
    done = sparsetool("prune", "recipe.toml", "--out", tmp_path.parent / f"{tmp_path.name}-out")
    assert done.error(2).startswith("schedule: never prunes")
    assert "train dense: 1 of" not in done.err
