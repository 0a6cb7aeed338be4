"""The training, where there was one."""

from sparsetool.report.figures import count, percent, plural
from sparsetool.report.pruning_record import Numbers
from sparsetool.report.records import TrainingRecord
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sheets import Column, Section, Sheet, section, sheet

_LAYERS = (Column("variable"), "weights", "zeros", "asked for", "sparsity")


def training_section(record: ReportRecord) -> Section:
    """What was pruned and what that did to accuracy; a sentence where nothing was trained."""
    training = record.run.training
    if training is None:
        return section("training", "Training", ("Nothing was trained: the run began with a finished model.",))
    said = [
        f"Validation accuracy: dense {percent(training.dense_accuracy, 2)}, pruned "
        f"{percent(training.pruned_accuracy, 2)}. The sparse checkpoint takes {count(training.checkpoint_bytes)} "
        "bytes on disk."
    ]
    sheets = [_layers(training)]
    if record.pruning is None:
        said.append("There is no record of when what was pruned, so there are no curves.")
    else:
        said.append(_schedule(record.pruning))
        if record.pruning.refreshes:
            sheets.append(_refreshes(record.pruning))
    return section("training", "Training", said, sheets)


def _layers(training: TrainingRecord) -> Sheet:
    rows = [
        (
            layer.variable,
            count(layer.weights),
            count(layer.zeros),
            count(layer.target_zeros),
            percent(layer.zeros / max(layer.weights, 1), 4),
        )
        for layer in training.layers
    ]
    return sheet("Pruned layers", _LAYERS, rows)


def _schedule(numbers: Numbers) -> str:
    return (
        f"Schedule: {numbers.schedule}; {plural(numbers.steps, 'step')}, {count(numbers.steps_per_epoch)} in an "
        f"epoch; {plural(len(numbers.refreshes), 'refresh').replace('refreshs', 'refreshes')} of the masks recorded."
    )


def _refreshes(numbers: Numbers) -> Sheet:
    weights = sum(variable.weights for variable in numbers.variables)
    rows = [
        (
            count(refresh.step),
            percent(refresh.asked, 2),
            percent(sum(refresh.zeros) / max(weights, 1), 2),
            count(sum(refresh.zeros)),
        )
        for refresh in numbers.refreshes
    ]
    return sheet("Refreshes of the masks", ("before step", "asked for", "reached", "zeros"), rows, folded=True)
