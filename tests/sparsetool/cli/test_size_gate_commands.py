"""Limits on sizes as builds set them: on what is converted and on files that are there, by flags and by a recipe."""

import json

import numpy as np
import pytest
from models_in_memory import mlp


def network(columns=64, seed=1):
    rng = np.random.default_rng(seed)
    return mlp([rng.normal(size=(48, columns)) * (rng.random((48, columns)) > 0.9), rng.normal(size=(8, 48))])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.tflite").write_bytes(network())
    return tmp_path


COMPRESS = ("compress", "model.tflite", "-o", "small.tflite")


def sizes_in(folder):
    return {entry["name"]: entry["sizes"] for entry in json.loads((folder / "sizes.json").read_text())["artifacts"]}


def limits(record):
    return [(one["size"], one["rule"], one["kept"]) for one in record["limits"]]


def test_limits_are_told_on_success_with_what_was_measured(sparsetool, folder):
    done = sparsetool(*COMPRESS, "--budget", "disk=1MB,gzip=1MB,zstd=1MB,wire=1MB,ram=1GB", "--json")
    assert done.code == 0, done.err
    record = done.json
    assert limits(record) == [(kind, "budget", True) for kind in ("disk", "gzip", "zstd", "wire", "ram")]
    measured = {one["size"]: one["actual_bytes"] for one in record["limits"]}
    assert measured["disk"] == record["sizes"]["disk"] == (folder / "small.tflite").stat().st_size
    assert measured["wire"] == record["sizes"]["wire"]
    shown = sparsetool(*COMPRESS, "--force", "--budget", "disk=1MB")
    assert "all limits on sizes are kept" in shown.out
    assert f"{measured['disk']:,}" in shown.out


@pytest.mark.parametrize("kind", ["disk", "gzip", "zstd", "wire"])
def test_one_byte_over_any_kind_of_size_is_3_and_nothing_is_written(sparsetool, folder, kind):
    exact = sparsetool(*COMPRESS, "--json").json["sizes"][kind]
    (folder / "small.tflite").unlink()
    line = sparsetool(*COMPRESS, "--budget", f"{kind}={exact - 1}").error(3)
    assert line == f"small: {kind} size is {exact:,} bytes, 1 over the budget of {exact - 1:,}"
    assert not (folder / "small.tflite").exists()
    assert sparsetool(*COMPRESS, "--budget", f"{kind}={exact}").code == 0


def test_a_baseline_is_written_compared_with_and_moved_on(sparsetool, folder):
    first = sparsetool(*COMPRESS, "--baseline", "sizes.json", "--update-baseline", "--json")
    assert first.code == 0, first.err
    assert sizes_in(folder) == {"small": first.json["sizes"]}
    same = sparsetool(*COMPRESS, "--force", "--baseline", "sizes.json", "--json")
    assert limits(same.json) == [("disk", "regression", True), ("wire", "regression", True)]
    (folder / "model.tflite").write_bytes(network(columns=70))
    line = sparsetool(*COMPRESS, "--force", "--baseline", "sizes.json", "--max-regression", "1%").error(3)
    assert line.startswith("small: disk size is ")
    assert sparsetool(*COMPRESS, "--force", "--baseline", "sizes.json", "--max-regression", "50%").code == 0
    moved = sparsetool(*COMPRESS, "--force", "--baseline", "sizes.json", "--update-baseline", "--json")
    assert moved.code == 0, moved.err
    assert moved.json["baseline"] == first.json["sizes"]
    assert sizes_in(folder) == {"small": moved.json["sizes"]}


def test_a_budget_is_kept_even_where_a_baseline_is_moved_on(sparsetool, folder):
    sparsetool(*COMPRESS, "--baseline", "sizes.json", "--update-baseline", "--budget", "disk=1").error(3)
    assert not (folder / "sizes.json").exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--max-regression", "1%"], "--max-regression"),
        (["--update-baseline"], "--update-baseline needs --baseline"),
        (["--baseline", "sizes.json"], "baseline sizes.json: cannot be read: No such file or directory; --update-base"),
        (["--baseline", "model.tflite"], "baseline model.tflite: is damaged"),
        (["--baseline", "sizes.json", "--update-baseline", "--max-regression", "lots"], "'lots' is no share"),
        (["--budget", "other:disk=1"], "there is a budget for 'other', which is not made here; there are small"),
        (["--junit", "one.xml", "--markdown", "one.xml"], "--junit and --markdown both name one.xml"),
        (["--junit", "no/one.xml"], "no/one.xml: the folder no does not exist"),
        (["--recipe", "none.toml"], "none.toml: cannot be read"),
    ],
)
def test_what_a_gate_cannot_mean_is_2_before_the_work(sparsetool, folder, options, problem):
    line = sparsetool(*COMPRESS, *options).error(2)
    assert problem in line
    assert sorted(path.name for path in folder.iterdir()) == ["model.tflite"]


RECIPE = """\
[convert]
quantize = "float16"
encode = false

[sizes]
budget = { disk = "1MB" }

[[artifacts]]
name = "small"
quantize = "none"
budget = { wire = "1MB" }
"""


def test_flags_go_before_the_recipe_and_the_recipe_before_defaults(sparsetool, folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "sparsetool.toml").write_text(RECIPE)
    recipe = ("--recipe", "deep/sparsetool.toml", "--json")
    by_name = sparsetool(*COMPRESS, *recipe).json
    stages = [stage["name"] for stage in by_name["stages"]]
    assert "quantize" not in stages  # by its name
    assert "encode" not in stages  # by what holds for all
    assert limits(by_name) == [("disk", "budget", True), ("wire", "budget", True)]
    other = sparsetool("compress", "model.tflite", "-o", "other.tflite", *recipe).json
    assert "quantize" in [stage["name"] for stage in other["stages"]]
    assert limits(other) == [("disk", "budget", True)]
    flag = ("--quantize", "none", "--budget", "disk=2MB,wire=3MB")
    by_flag = sparsetool("compress", "model.tflite", "-o", "flag.tflite", *recipe, *flag).json
    assert "quantize" not in [stage["name"] for stage in by_flag["stages"]]
    assert {one["size"]: one["limit_bytes"] for one in by_flag["limits"]} == {"disk": 2_000_000, "wire": 3_000_000}


def test_paths_of_a_recipe_are_relative_to_it_and_those_of_flags_to_here(sparsetool, folder):
    (folder / "deep").mkdir()
    np.save(folder / "deep" / "samples.npy", np.random.default_rng(0).random((6, 64), np.float32))
    np.save(folder / "few.npy", np.random.default_rng(0).random((3, 64), np.float32))
    (folder / "deep" / "sparsetool.toml").write_text(
        '[verify]\nsamples = "samples.npy"\n[sizes]\nbaseline = "s.json"\n'
    )
    recipe = ("--recipe", "deep/sparsetool.toml", "--update-baseline", "--json", "--force")
    assert {one["samples"] for one in sparsetool(*COMPRESS, *recipe).json["outputs"]} == {6}
    assert (folder / "deep" / "s.json").is_file()
    by_flag = sparsetool(*COMPRESS, *recipe, "--samples", "few.npy", "--baseline", "here.json")
    assert {one["samples"] for one in by_flag.json["outputs"]} == {3}
    assert (folder / "here.json").is_file()


def test_limits_of_a_recipe_on_outputs_hold_here_too(sparsetool, folder):
    (folder / "sparsetool.toml").write_text('[convert]\nquantize = "float16"\n[verify]\nmin_sqnr_db = 300.0\n')
    line = sparsetool(*COMPRESS, "--recipe", "sparsetool.toml").error(4)
    assert "min_sqnr_db must be at least 300" in line


def test_what_a_recipe_asks_of_a_test_set_is_refused(sparsetool, folder):
    (folder / "sparsetool.toml").write_text(
        '[model]\nsource = "model.tflite"\n[verify]\nlabels = "y.npy"\nsamples = "x.npy"\n'
        '[[artifacts]]\nname = "small"\nmin_accuracy = 90.0\n'
    )
    line = sparsetool(*COMPRESS, "--recipe", "sparsetool.toml").error(2)
    assert line == "small: min_accuracy is about a test set, which compress has none of; use sparsetool run"


def test_an_unchanged_output_is_left_untouched_and_a_depfile_names_what_it_was_made_of(sparsetool, folder):
    np.save(folder / "x y.npy", np.random.default_rng(0).random((3, 64), np.float32))
    (folder / "sparsetool.toml").write_text("[convert]\nencode = true\n")
    options = (*COMPRESS, "--force", "--samples", "x y.npy", "--recipe", "sparsetool.toml", "--depfile", "small.d")
    assert sparsetool(*options).code == 0
    before = (folder / "small.tflite").stat()
    assert sparsetool(*options).code == 0
    after = (folder / "small.tflite").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    rule = (folder / "small.d").read_text().partition("\n\n")[0]
    assert rule.startswith("small.tflite: \\\n  model.tflite \\\n")
    assert f"{folder}/x\\ y.npy" in rule
    assert "sparsetool.toml" in rule


def test_a_result_from_the_cache_is_the_same_and_is_gated_anew(sparsetool, folder):
    cached = ("--cache-dir", "cache", "--json")
    made = sparsetool("compress", "model.tflite", "-o", "one.tflz", *cached)
    again = sparsetool("compress", "model.tflite", "-o", "one.tflz", *cached, "--force")
    assert again.out == made.out
    assert "verify" in made.err
    assert "verify" not in again.err
    (folder / "two").mkdir()
    assert sparsetool("compress", "model.tflite", "-o", "two/one.tflz", *cached).out == made.out
    assert (folder / "two" / "one.tflz").read_bytes() == (folder / "one.tflz").read_bytes()
    sparsetool("compress", "model.tflite", "-o", "one.tflz", *cached, "--force", "--budget", "disk=1").error(3)
    other = sparsetool("compress", "model.tflite", "-o", "one.tflz", *cached, "--force", "--quantize", "float16")
    assert "verify" in other.err


def test_files_are_measured_as_they_are(sparsetool, folder):
    sparsetool("pack", "model.tflite", "-o", "packed.tflz", "--fast")
    record = sparsetool("size", "model.tflite", "packed.tflz", "--json").json
    model, packed = (one["sizes"] for one in record["artifacts"])
    assert model["disk"] == packed["disk"] == (folder / "model.tflite").stat().st_size
    assert packed["wire"] == (folder / "packed.tflz").stat().st_size > model["wire"]


def test_files_of_one_name_are_called_by_their_paths(sparsetool, folder):
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "model.tflite").write_bytes(network())
    files = ("a/model.tflite", "b/model.tflite")
    record = sparsetool("size", *files, "--budget", "b/model:disk=1", "--json")
    assert record.code == 3
    assert [(one["name"], len(one["limits"])) for one in record.json["artifacts"]] == [("a/model", 0), ("b/model", 1)]
    assert "a/model" in sparsetool("size", "a/model.tflite", "a/model.tflite").error(2)


def test_one_damaged_file_leaves_the_sizes_of_the_others(sparsetool, folder):
    (folder / "bad.tflite").write_bytes(b"no model")
    done = sparsetool("size", "bad.tflite", "model.tflite", "--json", "--junit", "junit.xml")
    assert done.code == 5
    assert [one["name"] for one in done.json["artifacts"]] == ["model"]
    assert [one["error"] for one in done.json["failures"]] == ["ModelFormatError"]
    assert 'errors="1"' in (folder / "junit.xml").read_text()


def test_what_the_baseline_knows_and_nobody_measured_is_told(sparsetool, folder):
    (folder / "other.tflite").write_bytes(network(seed=2))
    sparsetool("size", "model.tflite", "other.tflite", "--baseline", "sizes.json", "--update-baseline")
    done = sparsetool("size", "model.tflite", "--baseline", "sizes.json", "--json")
    assert (done.code, done.json["gone"]) == (0, ["other"])


def test_reports_tell_of_a_failure_that_is_none_of_sizes(sparsetool, folder):
    (folder / "model.tflite").write_bytes(b"no model")
    sparsetool(*COMPRESS, "--junit", "junit.xml", "--markdown", "sizes.md").error(5)
    assert "ModelFormatError" in (folder / "junit.xml").read_text()
    assert (folder / "sizes.md").read_text().startswith("**1 of 1 artifact failed: 1 without a result**")
