"""The table of quantization recipes, against the quantizer that is installed."""

import inspect
from pathlib import Path

import litert_quantizer
import pytest
from litert_quantizer import recipe
from litert_quantizer.algorithm_manager import AlgorithmName

from sparsetool_converters.errors import UsageError
from sparsetool_converters.passes.recipes import ALGORITHMS, RECIPES, TAKES_ALGORITHM, Quantization, recipe_named


def test_every_recipe_and_algorithm_of_the_quantizer_is_in_the_table_offered_or_with_the_reason_why_not() -> None:
    functions = {n for n, f in inspect.getmembers(recipe, inspect.isfunction) if not n.startswith("_")}
    folder = Path(litert_quantizer.__file__).parent / "recipes"
    files = {path.stem.removesuffix("_recipe") for path in folder.glob("*.json")}
    assert {r.name for r in RECIPES} == functions | files | set(Quantization)
    assert {a.name for a in ALGORITHMS} == {a.name.lower() for a in AlgorithmName} - {"no_quantize"}


def test_the_names_of_this_project_mean_what_the_quantizers_own_do() -> None:
    for ours, theirs in (("dynamic", "dynamic_wi8_afp32"), ("int8", "static_wi8_ai8")):
        a, b = recipe_named(ours), recipe_named(theirs)
        assert (a.weights, a.activations, a.needs_calibration) == (b.weights, b.activations, b.needs_calibration)


def test_a_recipe_with_an_algorithm_needs_what_either_needs_and_keeps_what_both_keep() -> None:
    assert recipe_named("dynamic_wi4_afp32+octav").algorithm == "octav"
    assert recipe_named("dynamic_wi4_afp32+gptq").needs_calibration
    assert not recipe_named("dynamic_wi4_afp32+gptq").keeps_zeros
    assert recipe_named("static_wi8_ai8+mse").needs_calibration
    assert all(recipe_named(name).keeps_zeros for name in TAKES_ALGORITHM)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("dynamc", "no quantization recipe 'dynamc'; did you mean 'dynamic'?"),
        ("zzz", "no quantization recipe 'zzz'; known: none, float16, dynamic, int8, "),
        ("dynamic_wi8_afp32+octv", "no quantization algorithm 'octv'; did you mean 'octav'?"),
        ("dynamic+octav", "takes no algorithm; these do: dynamic_wi8_afp32, "),
        ("dynamic_wi2c_afp32+mse", "mse is not offered for 2-bit weights"),
        ("dynamic_wi2c_afp32+oscar", "oscar is not offered for 2-bit weights"),
        ("dynamic_wi4b32_afp32", "scales of blocks are only read by XNNPACK"),
        ("gemma4_mixed48", "a set of recipes for the models inside a .litertlm file"),
        ("dynamic_wi8_afp32+hadamard_rotation", "the stock runtime answers wrongly"),
        ("", "no quantization recipe ''"),
    ],
)
def test_what_is_not_offered_is_refused_in_one_line_with_the_reason(name: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        recipe_named(name)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
