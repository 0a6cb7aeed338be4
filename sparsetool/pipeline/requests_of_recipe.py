"""Models that a recipe says how to convert, without being a recipe for one of them."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from sparsetool.pipeline.formats import format_of_output
from sparsetool.pipeline.recipe_settings import limits_of, settings_of
from sparsetool.pipeline.request import Request
from sparsetool.pipeline.sample_source import samples_named
from sparsetool.recipe import ArtifactSection, Recipe, artifact_named
from sparsetool_converters.errors import UsageError
from sparsetool_converters.passes.quantize import check_calibration
from sparsetool_converters.samples import RandomSamples

_OF_A_TASK = ("min_accuracy", "min_metric", "max_drop")


def requests_of(recipe: Recipe, home: Path, places: Iterable[tuple[Path, Path]]) -> tuple[Request, ...]:
    """How to convert models, each as the artifact of its output's name or as the recipe says of all.

    Args:
        recipe: the recipe, every value in its place.
        home: its folder, which paths in it are relative to.
        places: each model, and where the result belongs.

    Raises:
        UsageError: an output's name tells no format, or the recipe limits what is measured on a test set.
        CalibrationDataError: samples are needed and not named, missing or damaged.
    """
    read = cache(lambda text: samples_named(str(home / text)))
    samples, calibration = recipe.verify.samples, recipe.convert.calibration
    sections = [(source, output, _section(recipe, output)) for source, output in places]
    all_settings = [settings_of(recipe, section) for _, _, section in sections]
    for settings in all_settings:  # before samples are read
        check_calibration(settings.quantize, settings.quantize_layers, calibration)
    return tuple(
        Request(
            source=source,
            output=output,
            settings=settings,
            calibration=None if calibration is None else read(calibration),
            samples=read(samples) if isinstance(samples, str) else RandomSamples(n_samples=samples or 1),
            limits=limits_of(section),
            timeout_s=recipe.verify.timeout_s,
        )
        for (source, output, section), settings in zip(sections, all_settings, strict=True)
    )


def _section(recipe: Recipe, output: Path) -> ArtifactSection:
    section = artifact_named(recipe, output.name.removesuffix(format_of_output(output).suffix))
    for key in _OF_A_TASK:
        if getattr(section, key) is not None:
            raise UsageError(
                f"{section.name}: {key} is about a test set, which compress has none of; use sparsetool run"
            )
    return section
