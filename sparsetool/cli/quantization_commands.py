"""The command about quantization: what there is to choose from."""

from dataclasses import asdict

from sparsetool.cli.options import Json
from sparsetool.cli.screen import show, show_json

QUANTIZATIONS_EXAMPLE = "\b\nExample:\n  sparsetool quantizations"


def quantizations(as_json: Json = False) -> None:
    """List what compress --quantize takes, and what of litert-quantizer it does not take, with the reason."""
    from sparsetool.report.quantization_tables import algorithm_table, recipe_table, refused_lines
    from sparsetool_converters.passes.recipes import ALGORITHMS, RECIPES, TAKES_ALGORITHM

    if as_json:
        names = {"recipes": [asdict(r) for r in RECIPES], "algorithms": [asdict(a) for a in ALGORITHMS]}
        show_json({"schema_version": 1, "kind": "quantizations", **names, "takes_algorithm": list(TAKES_ALGORITHM)})
        return
    show(recipe_table(RECIPES), algorithm_table(ALGORITHMS, TAKES_ALGORITHM), *refused_lines(RECIPES, ALGORITHMS))
