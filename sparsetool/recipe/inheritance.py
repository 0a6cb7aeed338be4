"""What the sections of a recipe take from each other where they say nothing themselves."""

from sparsetool.recipe.artifacts import ArtifactSection, BudgetSection, ConversionSection, GatesSection
from sparsetool.recipe.whole import Recipe

VALIDATION_SAMPLES = 256  # where data() gives them
RANDOM_SAMPLES = 8
OF_CONVERT = tuple(ConversionSection.model_fields)
OF_VERIFY = tuple(GatesSection.model_fields)
OF_BUDGET = tuple(BudgetSection.model_fields)


def filled(recipe: Recipe) -> Recipe:
    """The recipe with every value in its place; a recipe that says all of them itself stays the same."""
    samples, calibration = recipe.verify.samples, recipe.convert.calibration
    if recipe.trains:
        samples = samples or VALIDATION_SAMPLES
    else:
        calibration = calibration or (samples if isinstance(samples, str) else None)
        samples = samples or calibration or RANDOM_SAMPLES
    return recipe.model_copy(
        update={
            "convert": recipe.convert.model_copy(update={"calibration": calibration}),
            "verify": recipe.verify.model_copy(update={"samples": samples}),
            "artifacts": tuple(_filled(recipe, artifact) for artifact in recipe.artifacts),
        }
    )


def artifact_named(recipe: Recipe, name: str) -> ArtifactSection:
    """What a filled recipe says of an artifact of this name, whether it has one of its own for it or not."""
    for artifact in recipe.artifacts:
        if artifact.name == name:
            return artifact
    # Of a file that is there, whose name may be none that a recipe could give.
    return _filled(recipe, ArtifactSection.model_construct({"name"}, name=name))


def _filled(recipe: Recipe, artifact: ArtifactSection) -> ArtifactSection:
    taken = {key: getattr(recipe.convert, key) for key in OF_CONVERT} | {
        key: getattr(recipe.verify, key) for key in OF_VERIFY if key != "max_drop" or artifact.compared_with is not None
    }
    budget = {
        kind: getattr(recipe.sizes.budget, kind) for kind in OF_BUDGET if kind not in artifact.budget.model_fields_set
    }
    return artifact.model_copy(
        update={
            **{key: value for key, value in taken.items() if key not in artifact.model_fields_set},
            "budget": artifact.budget.model_copy(update=budget),
        }
    )


def inherited_from(key: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], ...]:
    """The keys that a key takes its value from where it is left out, the nearest first."""
    match key:
        case ("artifacts", int(), "budget", str(kind)):
            return (("sizes", "budget", kind),)
        case ("artifacts", int(), str(name)) if name in OF_CONVERT:
            return (("convert", name),)
        case ("artifacts", int(), str(name)) if name in OF_VERIFY:
            return (("verify", name),)
        case ("verify", "samples"):
            return (("convert", "calibration"),)
        case ("convert", "calibration"):
            return (("verify", "samples"),)
    return ()
