"""The command about quantization: what there is to choose from."""

from dataclasses import asdict

from sparsetool.cli.options import Json
from sparsetool.cli.screen import show, show_json


def recipes(as_json: Json = False) -> None:
    """List the quantization recipes for compress --quantize, and those of litert-quantizer that are not offered."""
    from sparsetool.report.quantization_tables import algorithm_table, recipe_table, refused_lines
    from sparsetool_converters.passes.recipes import ALGORITHMS, RECIPES, TAKES_ALGORITHM

    if as_json:
        names = {"recipes": [asdict(r) for r in RECIPES], "algorithms": [asdict(a) for a in ALGORITHMS]}
        show_json({"schema_version": 1, "kind": "recipes", **names, "takes_algorithm": list(TAKES_ALGORITHM)})
        return
    show(recipe_table(RECIPES), algorithm_table(ALGORITHMS, TAKES_ALGORITHM), *refused_lines(RECIPES, ALGORITHMS))
