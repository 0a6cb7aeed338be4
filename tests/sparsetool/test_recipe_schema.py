"""The schema of a recipe, which editors check it by."""

import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from sparsetool.recipe import load_recipe, recipe_schema
from sparsetool_converters.errors import RecipeError

REPOSITORY = Path(__file__).parents[2]
RECIPES = sorted(p for root in ("models", "tests") for p in (REPOSITORY / root).rglob("recipe.toml"))
WHOLE = """\
[model]
source = "model.py"
[train]
epochs = 1
[prune]
epochs = 1
rules = [{ pattern = "*", channels = true }]
schedule = { type = "PolynomialDecay", final_sparsity = 0.9, begin_step = "1 epoch", end_step = "50%" }
for_target = { target = "litert", quantize = "int8" }
[convert]
quantize_layers = [{ pattern = "a", recipe = "none" }]
[verify]
samples = 8
min_top1_agreement = "99%"
[sizes]
baseline = "sizes.json"
max_regression = "1%"
budget = { disk = "1.2MB", ram = 5 }
[[artifacts]]
name = "a"
quantize = "dynamic_wi4_afp32+octav"
"""


@pytest.fixture(scope="module")
def validator():
    Draft202012Validator.check_schema(recipe_schema())
    return Draft202012Validator(recipe_schema())


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_every_recipe_here_keeps_the_schema(path, validator):
    validator.validate(tomllib.loads(path.read_text("utf-8")))


def test_a_recipe_with_keys_of_every_kind_keeps_it_and_is_read(validator, tmp_path):
    (tmp_path / "recipe.toml").write_text(WHOLE)
    load_recipe(tmp_path / "recipe.toml")
    validator.validate(tomllib.loads(WHOLE))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("[train]", "[trian]"),
        ("epochs = 1\n[prune]", "epoch = 1\n[prune]"),
        ("epochs = 1\n[prune]", "epochs = 0\n[prune]"),
        ("epochs = 1\n[prune]", 'epochs = "three"\n[prune]'),
        ('pattern = "*"', 'patern = "*"'),
        ("PolynomialDecay", "Linear"),
        ("final_sparsity = 0.9", "final_sparsity = 1.0"),
        ("final_sparsity = 0.9", "target_sparsity = 0.9"),
        ('"1 epoch"', '"3 weeks"'),
        ('"50%"', "-1"),
        ('target = "litert"', 'target = "teapot"'),
        ('recipe = "none"', "recipe = 1"),
        ("samples = 8", "samples = 0"),
        ("samples = 8", "samples = [8]"),
        ('"99%"', '"half"'),
        ('"99%"', "1.5"),
        ('"1.2MB"', '"1.2 megabytes"'),
        ("ram = 5", "ram = -5"),
        ("ram = 5", "rom = 5"),
        ('name = "a"', 'name = "../a"'),
        ('name = "a"', 'title = "a"'),
    ],
)
def test_what_is_refused_for_its_type_or_its_name_does_not_keep_it(right, wrong, validator, tmp_path):
    text = WHOLE.replace(right, wrong, 1)
    assert text != WHOLE
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(RecipeError):
        load_recipe(tmp_path / "recipe.toml")
    assert not validator.is_valid(tomllib.loads(text))


def test_every_key_says_what_it_is():
    for name, section in {"Recipe": recipe_schema(), **recipe_schema()["$defs"]}.items():
        for key, told in section.get("properties", {}).items():
            assert told["description"], (name, key)
