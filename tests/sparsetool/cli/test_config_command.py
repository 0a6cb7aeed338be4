"""What `sparsetool config` prints of a recipe."""

import tomllib

import pytest

from sparsetool.recipe import load_recipe

RECIPE = '[model]\nsource = "model.tflite"\n\n[sizes.budget]\ndisk = "1.2MB"\n\n[[artifacts]]\nname = "small"\n'


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def test_without_options_it_prints_the_keys_of_the_file_as_they_are_written(sparsetool, recipe):
    done = sparsetool("config", "recipe.toml")
    assert (done.code, done.err) == (0, "")
    assert done.out == RECIPE


def test_resolved_it_prints_every_key_and_where_it_comes_from(sparsetool, recipe, tmp_path):
    flags = ("--target", "tflm", "--budget", "small:wire=9", "--max-regression", "1%", "--baseline", "sizes.json")
    done = sparsetool("config", "recipe.toml", "--resolved", *flags)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert 'target = "tflm"  # flag' in lines
    assert "disk = 1200000  # recipe" in lines
    assert "wire = 9  # flag" in lines
    assert "timeout_s = 600.0" in lines
    assert "max_regression = 0.01  # flag" in lines
    again = tmp_path / "again.toml"
    again.write_text(done.out)
    assert load_recipe(again).artifacts[0].budget.wire == 9
    assert load_recipe(again).sizes.baseline == str(tmp_path / "sizes.json")


def test_as_json_it_tells_values_and_their_sources(sparsetool, recipe):
    done = sparsetool("config", "recipe.toml", "--json", "--timeout", "5")
    assert (done.json["kind"], done.json["recipe"], done.json["resolved"]) == ("config", "recipe.toml", False)
    assert done.json["values"] == {**tomllib.loads(RECIPE), "verify": {"timeout_s": 5.0}}
    assert done.json["sources"]["verify.timeout_s"] == "flag"
    assert done.json["sources"]["sizes.budget.disk"] == "recipe"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--target", "teapot"), "--target: target 'teapot' is not known"),
        (("--budget", "other:disk=1KB"), "--budget: the recipe has no artifact 'other'; known: small"),
        (("--budget", "1KB"), "budget '1KB': write each of disk, gzip, zstd, wire, ram"),
        (("--max-regression", "1%"), "--max-regression: is measured against a baseline"),
    ],
)
def test_a_flag_that_is_wrong_is_named(sparsetool, recipe, arguments, problem):
    assert sparsetool("config", "recipe.toml", *arguments).error(2).startswith(problem)


def test_a_schema_for_editors_is_printed(sparsetool):
    assert sparsetool("schema", "recipe").json["properties"].keys() >= {"model", "convert", "sizes", "artifacts"}
