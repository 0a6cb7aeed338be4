"""A recipe for people who only have a model file, as its user runs it, where there is no TensorFlow."""

import json
import os

import numpy as np
import pytest
from command_line import run
from models_in_memory import mlp

from sparsetool_converters.codec import unpack

RECIPE = """\
[model]
source = "model.tflite"

[convert]
encode = false

[verify]
samples = "samples.npy"
labels = "labels.npy"
timeout_s = 60.0

[sizes]
budget = { disk = "60KB" }

[[artifacts]]
name = "plain"
compact = false

[[artifacts]]
name = "int8"
quantize = "int8"
encode = true
compared_with = "plain"
max_drop = "20%"
"""


@pytest.fixture(scope="module")
def without_tensorflow(tmp_path_factory):
    """An environment in which TensorFlow and Keras cannot be imported."""
    folder = tmp_path_factory.mktemp("blocked")
    for name in ("tensorflow", "keras"):
        (folder / f"{name}.py").write_text("raise ImportError('there is none here')\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture(scope="module")
def place(tmp_path_factory, without_tensorflow):
    """A folder with a model, a recipe and the results of a first run."""
    folder = tmp_path_factory.mktemp("given")
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=(64, 32)).astype(np.float32), rng.normal(size=(4, 64)).astype(np.float32)]
    weights[0][np.abs(weights[0]) < 1.3] = 0
    x = rng.random((40, 32), np.float32)
    (folder / "model.tflite").write_bytes(mlp(weights, [np.zeros(64), np.zeros(4)]))
    np.save(folder / "samples.npy", x)
    np.save(folder / "labels.npy", (np.maximum(x @ weights[0].T, 0) @ weights[1].T).argmax(axis=1))
    (folder / "recipe.toml").write_text(RECIPE)
    finished = run(folder, "run", "recipe.toml", "--json", **without_tensorflow)
    assert finished.code == 0, finished.err
    return folder, finished


def contents(folder):
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.iterdir()) if p.is_file()}


def test_all_artifacts_and_the_record_are_published(place):
    folder, finished = place
    runs = folder / "runs"
    assert set(contents(runs)) == {"plain.tflite", "plain.tflz", "int8.tflite", "int8.tflz", "run.json"}
    assert unpack((runs / "int8.tflz").read_bytes()) == (runs / "int8.tflite").read_bytes()
    record = finished.json
    assert record["training"] is None
    plain, int8 = record["artifacts"]
    assert plain["sizes"]["disk"] == (runs / "plain.tflite").stat().st_size
    assert (plain["accuracy"]["correct"], plain["accuracy"]["samples"]) == (40, 40)
    assert [gate["metric"] for gate in int8["gates"]] == ["max_drop"]
    assert [(limit["size"], limit["limit_bytes"]) for limit in plain["limits"]] == [("disk", 60_000)]


def test_a_second_run_reuses_all_and_tells_of_limits(place, without_tensorflow):
    folder, _ = place
    before = contents(folder / "runs")
    finished = run(folder, "run", "recipe.toml", **without_tensorflow)
    assert finished.code == 0, finished.err
    assert finished.said == [f"{step}: unchanged, reused" for step in ("make plain", "make int8", "accuracy")]
    assert finished.out.count("60,000   budget   kept") == 2
    assert finished.out.endswith("0 of 2 artifacts failed; all limits on sizes are kept\n")
    assert contents(folder / "runs") == before


def test_an_exceeded_budget_is_3_and_the_old_results_stay(place, without_tensorflow):
    folder, _ = place
    before = contents(folder / "runs")
    line = run(folder, "run", "recipe.toml", "--budget", "int8:disk=1KB", **without_tensorflow).error(3)
    assert line.startswith("int8: disk size is ")
    assert line.endswith(" over the budget of 1,000")
    assert contents(folder / "runs") == before
    fresh = folder / "fresh"
    run(folder, "run", "recipe.toml", "--out", fresh, "--budget", "wire=1", **without_tensorflow).error(3)
    assert contents(fresh) == {}


def test_growth_over_the_baseline_is_3(place, without_tensorflow):
    folder, finished = place
    entries = [{"name": a["name"], "sizes": {**a["sizes"], "wire": 1}} for a in finished.json["artifacts"]]
    baseline = {"schema_version": 1, "kind": "baseline", "artifacts": entries}
    (folder / "sizes.json").write_text(json.dumps(baseline))
    flags = ("--baseline", "sizes.json", "--max-regression", "1%")
    line = run(folder, "run", "recipe.toml", *flags, **without_tensorflow).error(3)
    assert line.startswith("plain: wire size is ")
    entries = [{"name": a["name"], "sizes": a["sizes"]} for a in finished.json["artifacts"]]
    (folder / "sizes.json").write_text(json.dumps({**baseline, "artifacts": entries}))
    assert run(folder, "run", "recipe.toml", *flags, "--out", "with-baseline", **without_tensorflow).code == 0


def test_other_samples_make_what_depends_on_them_again(place, without_tensorflow):
    folder, _ = place
    x = np.load(folder / "samples.npy")
    np.save(folder / "samples.npy", x[::-1])
    np.save(folder / "labels.npy", np.load(folder / "labels.npy")[::-1])
    finished = run(folder, "run", "recipe.toml", "--out", folder / "again", **without_tensorflow)
    assert finished.code == 0, finished.err
    assert not any("reused" in line for line in finished.said)
    np.save(folder / "samples.npy", x)
    np.save(folder / "labels.npy", np.load(folder / "labels.npy")[::-1])


def test_a_report_shows_the_run(place):
    folder, _ = place
    report = run(folder, "report", "runs")
    assert report.code == 0, report.err
    assert "int8" in report.out


@pytest.mark.parametrize(
    ("text", "code", "problem"),
    [
        ("[convert]\n", 2, "recipe.toml: model: is missing; name the model in model.source"),
        ('model = { source = "m.tflite" }\n', 2, "recipe.toml: artifacts: is missing"),
        ('model = { source = "m.tflite" }\n[[artifacts]]\nname = "a"\n', 5, "m.tflite: cannot be read"),
    ],
)
def test_a_run_names_what_it_misses_and_makes_nothing(tmp_path, text, code, problem):
    (tmp_path / "recipe.toml").write_text(text)
    assert run(tmp_path, "run", "recipe.toml").error(code).startswith(problem)
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_model_that_is_not_trained_cannot_be_pruned(place, options):
    line = run(place[0], "prune", "recipe.toml", *options).error(2)
    assert line == (
        "recipe.toml: model.source: must name a Python file with build() and data() to train; got 'model.tflite'"
    )
