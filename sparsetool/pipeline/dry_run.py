"""What a recipe's pruning phase would do, without training anything."""

from pathlib import Path

from sparsetool.pipeline.recipe_model import phases_of, source_of
from sparsetool.pipeline.schedule_source import schedule_of
from sparsetool.pipeline.training import keras_versions, pruner_of, reloaded, training_length
from sparsetool.pipeline.user_model import UserModel
from sparsetool.recipe import load_recipe
from sparsetool.report.pruning_plan import LeftAlone, PlannedRefresh, PlannedVariable, PruningPlan


def plan_pruning(path: Path) -> PruningPlan:
    """Hold a recipe's schedule against the length of its training, and its choice of variables against its model.

    Args:
        path: the recipe.

    Raises:
        RecipeError: the recipe is not valid, or trains nothing.
        UsageError: the model file or the schedule's file fails.
        MissingExtraError: TensorFlow is not installed.
        PruningError: a schedule that prunes nothing or never reaches its target, or a choice of variables that cannot
            be carried out.
    """
    recipe = load_recipe(path)
    section = phases_of(recipe, path).prune
    user = UserModel(source_of(recipe, path))
    keras_versions()
    samples = len(user.data["train"][0])
    pruner = pruner_of(section, schedule_of(section, path.parent), reloaded(user.build()), samples)
    steps, steps_per_epoch = training_length(section, samples)
    schedule = pruner.schedule
    return PruningPlan(
        recipe=recipe.name or path.name,
        schedule=str(schedule),
        epochs=section.epochs,
        steps=steps,
        steps_per_epoch=steps_per_epoch,
        refreshes=tuple(
            PlannedRefresh(step=step, epoch=step / steps_per_epoch, sparsity=schedule.sparsity(step))
            for step in range(steps)
            if schedule.should_prune(step)
        ),
        variables=tuple(
            PlannedVariable(
                variable=planned.variable,
                shape=planned.shape,
                weights=planned.weights,
                target_zeros=None if section.scope == "global" else planned.target_zeros,
            )
            for planned in pruner.report()
        ),
        skipped=tuple(LeftAlone(variable=skip.variable, reason=skip.reason) for skip in pruner.selection.skipped),
    )
