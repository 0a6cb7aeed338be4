"""A metric of the user's own: what it is given, and one line for whatever it does wrong."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models_in_memory import Graph, mlp, new_model, packed

from sparsetool.pipeline.task_metric import load_metric, measured, metric_name
from sparsetool.verify import KernelSet, run_model
from sparsetool_converters.errors import UsageError

FILE = """
import numpy as np

def sum_of_labelled(outputs, labels):
    return outputs[np.arange(len(labels)), labels].sum()

def kind(outputs, labels):
    return float(isinstance(outputs, dict) and sorted(outputs) == ["left", "right"])

def words(outputs, labels):
    return "very good"

def endless(outputs, labels):
    return float("inf")

def broken(outputs, labels):
    raise KeyError("no such\\nclass")

number = 3
"""
WEIGHT = np.arange(12, dtype=np.float32).reshape(3, 4)
X = np.eye(4, dtype=np.float32)
LABELS = np.array([2, 0, 1, 2])


@pytest.fixture
def metric(tmp_path):
    """Loads a function of the file above."""
    (tmp_path / "metrics.py").write_text(FILE)
    return lambda function: load_metric(f"metrics.py:{function}", tmp_path)


def answered(tmp_path, model):
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    return run_model(path, X, KernelSet.DEFAULT, timeout_s=60.0)


def test_a_metric_gets_the_values_of_the_only_output_and_the_labels(tmp_path, metric):
    run = answered(tmp_path, mlp([WEIGHT]))
    found = metric("sum_of_labelled")
    assert measured(run, LABELS, found) == sum(WEIGHT[label, i] for i, label in enumerate(LABELS))
    assert metric_name(found) == "sum_of_labelled"


def test_quantized_outputs_are_given_as_what_they_mean(tmp_path, metric):
    model = new_model()
    graph = Graph(model)
    x, y = graph.tensor("x", (1, 4)), graph.tensor("y", (1, 4), "int8", scale=0.5, zero_point=3)
    graph.op(schema.BuiltinOperator.QUANTIZE, [x], [y], schema.QuantizeOptionsT())
    graph.ends([x], [y])
    run = answered(tmp_path, packed(model))
    assert run.outputs[0].values.dtype == np.int8
    assert measured(run, np.arange(4), metric("sum_of_labelled")) == 4.0


def test_several_outputs_come_by_their_names(tmp_path, metric):
    model = new_model()
    graph = Graph(model)
    x = graph.tensor("x", (1, 4))
    left, right = graph.tensor("left", (1, 3)), graph.tensor("right", (1, 3))
    w = graph.constant("w", WEIGHT)
    graph.fully_connected(x, w, -1, left)
    graph.fully_connected(x, w, -1, right)
    graph.ends([x], [left, right])
    assert measured(answered(tmp_path, packed(model)), LABELS, metric("kind")) == 1.0


def test_without_a_metric_it_is_accuracy(tmp_path):
    assert measured(answered(tmp_path, mlp([WEIGHT])), LABELS, None) == 0.5
    assert metric_name(None) == "accuracy"


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("words", r"words\(\) must return a finite number; got 'very good'"),
        ("endless", r"endless\(\) must return a finite number; got inf"),
        ("broken", r"metrics\.py: broken\(\) failed: KeyError: 'no such\\nclass'"),
    ],
)
def test_what_a_metric_does_wrong_is_told_in_one_line(tmp_path, metric, function, problem):
    with pytest.raises(UsageError, match=problem) as caught:
        measured(answered(tmp_path, mlp([WEIGHT])), LABELS, metric(function))
    assert "\n" not in str(caught.value)


def test_labels_of_other_samples_are_refused(tmp_path, metric):
    with pytest.raises(UsageError, match="a label for each of the 4 samples; got 3"):
        measured(answered(tmp_path, mlp([WEIGHT])), LABELS[:3], metric("kind"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("metrics.py:number", r"has no function number\(\)"),
        ("metrics.py:missing", r"has no function missing\(\)"),
        ("missing.py:f1", "no such file"),
        ("metrics", "is not FILE.py:FUNCTION"),
        ("metrics.py:", "is not FILE.py:FUNCTION"),
    ],
)
@pytest.mark.usefixtures("metric")
def test_what_names_no_function_is_refused(tmp_path, text, problem):
    with pytest.raises(UsageError, match=problem):
        load_metric(text, tmp_path)
