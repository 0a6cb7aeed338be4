"""How well a model does its task: top-1 accuracy, or whatever a function of the user's own makes of its outputs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsetool.pipeline.user_model import load_module
from sparsetool.verify import FinishedRun, RunOutput, classification_accuracy
from sparsetool_converters.errors import SparseToolError, UsageError

ROUNDING = 1e-9  # a drop of 0.1 % that was measured is no more than the 0.1 % that are allowed
Metric = Callable[[Any, Any], Any]  # (outputs, labels) -> a number, the larger, the better


def load_metric(text: str, home: Path) -> Metric:
    """The function that "metrics.py:f1" names.

    It is given the real values of the only output, `[n, ...]`, or, where the model has several, a dictionary of them by
    the outputs' names; and the labels, one for each sample. It returns a number, the larger, the better.

    Args:
        text: a Python file and the name of a function in it.
        home: the folder that the file's path is relative to.

    Raises:
        UsageError: it is not of this form, the file cannot be run, or has no such function.
    """
    file, colon, function = text.rpartition(":")
    if not colon or not file.endswith(".py") or not function.isidentifier():
        raise UsageError(f"metric {text!r} is not FILE.py:FUNCTION, as in 'metrics.py:f1'")
    path = home / file
    if not path.is_file():
        raise UsageError(f"{path}: cannot be read: no such file; metric names it")
    found = getattr(load_module(path), function, None)
    if not callable(found):
        raise UsageError(f"{path}: has no function {function}()")

    def named(outputs: Any, labels: Any) -> Any:
        try:
            return found(outputs, labels)
        except SparseToolError:
            raise
        except (Exception, SystemExit) as problem:
            words = " ".join(f"{type(problem).__name__}: {problem}".split())
            raise UsageError(f"{path}: {function}() failed: {words}") from problem

    named.__name__ = function
    return named


def metric_name(metric: Metric | None) -> str:
    """What reports call it."""
    return "accuracy" if metric is None else str(getattr(metric, "__name__", "metric"))


def measured(run: FinishedRun, labels: npt.NDArray[Any], metric: Metric | None) -> float:
    """The metric over a run on all samples; top-1 accuracy, as a share, where there is none.

    Args:
        run: the model's answers.
        labels: one for each sample; integers, `[n]`, for accuracy.
        metric: the function.

    Raises:
        UsageError: labels and outputs do not fit each other, or the function fails or returns no number.
    """
    if metric is None:
        return classification_accuracy(run.outputs[0].values, labels).share
    if len(labels) != run.n_samples:
        raise UsageError(f"a metric needs a label for each of the {run.n_samples:,} samples; got {len(labels):,}")
    names = [output.info.name for output in run.outputs]
    values = [_reals(output) for output in run.outputs]
    value = metric(values[0] if len(values) == 1 else dict(zip(names, values, strict=True)), labels)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(
            f"metric {metric_name(metric)}() must return a finite number; got {' '.join(repr(value).split())}"
        )
    return number


def _reals(output: RunOutput) -> npt.NDArray[Any]:
    """What the stored values mean, `[n, ...]`: float32 where they are quantized, without the batch of 1 of each run."""
    values: npt.NDArray[Any] = output.values  # (n, *shape)
    if output.info.is_quantized:
        values = np.asarray(output.info.dequantize(values), np.float32)
    return values[:, 0] if values.ndim > 2 and values.shape[1] == 1 else values
