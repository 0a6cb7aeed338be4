"""What a recipe comes to, as TOML that means the same."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsetool.recipe import listed, load_recipe, read_recipe, toml_text

REPOSITORY = Path(__file__).parents[2]
RECIPES = sorted(p for root in ("models", "tests") for p in (REPOSITORY / root).rglob("recipe.toml"))
SIZE = st.integers(0, 10**9) | st.sampled_from(["1.2MB", "600 KB", "64KiB"])
SHARE = st.floats(0, 1) | st.sampled_from(["0.5%", "99%"])


def some(**keys):
    """A table with some of these keys."""
    return st.fixed_dictionaries({}, optional=keys)


CONVERSION = {
    "quantize": st.sampled_from(["none", "float16", "dynamic"]),
    "quantize_layers": st.lists(
        st.fixed_dictionaries({"pattern": st.sampled_from(["a", "^b\\."]), "recipe": st.just("none")}), max_size=2
    ),
    "allow_zero_loss": st.booleans(),
    "compact": st.booleans(),
    "encode": st.booleans(),
}
GATES = {
    "min_cosine": st.floats(-1, 1),
    "max_abs_error": st.floats(0, 1e9),
    "min_sqnr_db": st.floats(-1e3, 1e3),
    "min_top1_agreement": SHARE,
    "on_failure": st.sampled_from(["fail", "keep-dense"]),
}
BUDGET = some(disk=SIZE, gzip=SIZE, wire=SIZE, ram=SIZE)
CONTENT = some(
    name=st.text(min_size=1, alphabet=st.characters(codec="utf-8")),
    model=st.just({"source": "model.tflite"}),
    convert=some(
        target=st.sampled_from(["litert", "portable", "tflm"]),
        objective=st.sampled_from(["disk", "ram", "speed"]),
        calibration=st.text(min_size=1, alphabet=st.characters(codec="utf-8")),
        **CONVERSION,
    ),
    verify=some(samples=st.integers(1, 99) | st.just("x.npz"), timeout_s=st.floats(1e-3, 1e9), **GATES),
    sizes=some(baseline=st.just("sizes.json"), budget=BUDGET),
    artifacts=st.lists(some(budget=BUDGET, **CONVERSION, **GATES), min_size=1, max_size=3).map(
        lambda found: [{"name": f"a{i}", **keys} for i, keys in enumerate(found)]
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recipes")


def resolved_twice(path, folder, flags=None):
    """The recipe with flags over it, and the one that is read from its resolved text."""
    reading = read_recipe(path, flags)
    values, sources = listed(reading, resolved=True)
    again = folder / "again.toml"
    again.write_text(toml_text(values, sources), "utf-8")
    return reading.recipe, load_recipe(again)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_every_recipe_here_resolves_to_one_that_means_the_same(path, folder):
    assert len(RECIPES) > 3
    recipe, again = resolved_twice(path, folder, {"convert": {"target": "portable"}, "sizes": {"budget": {"disk": 9}}})
    assert again == recipe
    assert again.convert.target == "portable"


@settings(deadline=None, max_examples=150)
@given(content=CONTENT, flags=some(convert=some(objective=st.just("ram")), sizes=some(budget=BUDGET)))
def test_any_recipe_resolves_to_one_that_means_the_same(content, flags, folder):
    path = folder / "recipe.toml"
    path.write_text(toml_text(content, {}), "utf-8")
    assert tomllib.loads(path.read_text("utf-8")) == content
    recipe, again = resolved_twice(path, folder, flags)
    assert again == recipe


PLAIN = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["x", "y"]), st.dictionaries(st.sampled_from("abc"), PLAIN)))
def test_text_of_plain_data_reads_back_as_the_same_whatever_comments_say(values):
    assert tomllib.loads(toml_text(values, dict.fromkeys(["x.a", "y.b"], "flag"))) == values


def test_each_value_comes_from_the_place_that_gave_it(folder):
    path = folder / "recipe.toml"
    path.write_text(
        '[verify]\nsamples = "x.npz"\nmin_cosine = 0.5\n[convert]\ncompact = false\n[sizes]\nbudget = { wire = 5 }\n'
        '[[artifacts]]\nname = "a"\nencode = false\n'
    )
    flags = {"convert": {"target": "tflm"}, "artifacts": {"a": {"budget": {"disk": 7}}}}
    values, sources = listed(read_recipe(path, flags), resolved=True)
    expected = {
        "convert.target": "flag",
        "convert.objective": "default",
        "convert.calibration": "recipe",
        "artifacts.0.encode": "recipe",
        "artifacts.0.compact": "recipe",
        "artifacts.0.min_cosine": "recipe",
        "artifacts.0.quantize": "default",
        "artifacts.0.budget.disk": "flag",
        "artifacts.0.budget.wire": "recipe",
    }
    assert {key: sources[key] for key in expected} == expected
    assert values["artifacts"][0]["budget"] == {"disk": 7, "wire": 5}
    assert "calibration_samples" not in values["convert"]


def test_as_read_a_recipe_says_what_stands_in_the_file(folder):
    path = folder / "recipe.toml"
    path.write_text('[sizes]\nbudget = { wire = "1.2MB" }\n')
    values, sources = listed(read_recipe(path), resolved=False)
    assert (values, sources) == ({"sizes": {"budget": {"wire": "1.2MB"}}}, {"sizes.budget.wire": "recipe"})
