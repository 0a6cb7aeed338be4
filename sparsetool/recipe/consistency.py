"""What keys of a recipe say together, which none of them says alone."""

from collections.abc import Iterator

from sparsetool.recipe.artifacts import ArtifactSection, VerifySection
from sparsetool.recipe.whole import Recipe
from sparsetool_converters.passes.recipes import recipe_named

Problem = tuple[str, str]  # the dotted key, and what is wrong with it
_ONLY_TRAINED = "goes with a model that is trained, a Python file in model.source; leave it out"
_ONLY_GIVEN = "goes with a model that is not trained; data() of the Python file in model.source gives these"
_NEEDS_LABELS = "needs the right answers to samples; name them in verify.labels, and the samples in verify.samples"


def problems(recipe: Recipe) -> Iterator[Problem]:
    """All that is wrong with a recipe whose single keys are right, the first first."""
    yield from _of_training(recipe) if recipe.trains else _of_given_model(recipe)
    if recipe.sizes.max_regression is not None and recipe.sizes.baseline is None:
        yield "sizes.max_regression", "is measured against a baseline; name one in sizes.baseline"
    yield from _of_artifacts(recipe)


def _of_training(recipe: Recipe) -> Iterator[Problem]:
    for key in ("train", "prune"):
        if getattr(recipe, key) is None:
            yield key, "is missing; the model of a Python file in model.source is trained and pruned"
    if recipe.convert.calibration is not None:
        yield "convert.calibration", f"{_ONLY_GIVEN}, calibration_samples of them"
    if isinstance(recipe.verify.samples, str):
        yield "verify.samples", f"must be a number here; a source of samples {_ONLY_GIVEN}"
    if recipe.verify.labels is not None:
        yield "verify.labels", _ONLY_GIVEN


def _of_given_model(recipe: Recipe) -> Iterator[Problem]:
    phases = [key for key in ("train", "prune") if getattr(recipe, key) is not None]
    if phases and recipe.model is None:
        yield "model", f"is missing; [{phases[0]}] is for the Python file that model.source names"
    for key in phases:
        yield key, _ONLY_TRAINED
    if "calibration_samples" in recipe.convert.model_fields_set:
        yield "convert.calibration_samples", _ONLY_TRAINED
    for i, artifact in enumerate(recipe.artifacts):
        if "checkpoint" in artifact.model_fields_set:
            yield f"artifacts.{i}.checkpoint", _ONLY_TRAINED
    if recipe.verify.labels is None:
        yield from _of_answers(recipe)
    elif not isinstance(recipe.verify.samples, str):
        yield "verify.labels", "are those of samples; name their source in verify.samples"
    yield from _of_calibration(recipe)


def _of_answers(recipe: Recipe) -> Iterator[Problem]:
    sections: list[tuple[str, VerifySection | ArtifactSection]] = [("verify", recipe.verify)]
    sections += [(f"artifacts.{i}", artifact) for i, artifact in enumerate(recipe.artifacts)]
    for where, section in sections:
        for key in ("metric", "min_metric", "max_drop", "min_accuracy"):
            if getattr(section, key, None) is not None:
                yield f"{where}.{key}", _NEEDS_LABELS


def _of_calibration(recipe: Recipe) -> Iterator[Problem]:
    if recipe.model is None or recipe.convert.calibration is not None or isinstance(recipe.verify.samples, str):
        return
    for i, artifact in enumerate(recipe.artifacts):
        for key in ("quantize", "quantize_layers"):
            own = key in artifact.model_fields_set
            section, where = (artifact, f"artifacts.{i}") if own else (recipe.convert, "convert")
            names = [section.quantize] if key == "quantize" else [layer.recipe for layer in section.quantize_layers]
            for name in names:
                if recipe_named(name).needs_calibration:
                    yield f"{where}.{key}", f"{name} needs calibration data; name samples in convert.calibration"


def _of_artifacts(recipe: Recipe) -> Iterator[Problem]:
    names: list[str] = []
    for i, artifact in enumerate(recipe.artifacts):
        if artifact.name in names:
            yield f"artifacts.{i}.name", f"{artifact.name!r} is taken by an artifact before it"
        if artifact.compared_with is not None and artifact.compared_with not in names:
            known = ", ".join(names) or "none"
            yield (
                f"artifacts.{i}.compared_with",
                f"{artifact.compared_with!r} is no artifact before it; known here: {known}",
            )
        max_drop = artifact.max_drop
        if max_drop is None and artifact.compared_with is not None:
            max_drop = recipe.verify.max_drop
        if (max_drop is None) != (artifact.compared_with is None):
            yield f"artifacts.{i}", "max_drop and compared_with only make sense together"
        if artifact.min_accuracy is not None and recipe.verify.metric is not None:
            yield f"artifacts.{i}.min_accuracy", "no accuracy is measured where verify.metric is set; write min_metric"
        names.append(artifact.name)
