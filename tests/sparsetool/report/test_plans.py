"""Plans as records and tables: every choice with its price, one of them taken."""

import io
import json

import pytest
from models_in_memory import mlp
from one_op_models import one_op, weight_for
from pydantic import TypeAdapter
from rich.console import Console

from sparsetool.report.plans import PlanRecord, plan_record
from sparsetool.report.records import as_json
from sparsetool.report.tables import plan_table
from sparsetool_converters.costs import Objective
from sparsetool_converters.model import Model
from sparsetool_converters.plan import make_plan
from sparsetool_converters.targets import LITERT

LAYERS = mlp([weight_for("", "float32", shape=(48, 48), seed=i, zeros=0.9 * (i > 0)) for i in range(3)])
CONV = one_op("CONV_2D", weight_for("CONV_2D", "float32"))


def planned(data, objective=Objective.DISK):
    return plan_record(make_plan(Model.from_bytes(data), LITERT, objective))


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize("data", [LAYERS, CONV])
def test_one_choice_is_taken_and_the_sums_are_theirs(data, objective):
    record = planned(data, objective)
    taken = [[c for c in tensor.choices if c.taken] for tensor in record.tensors]
    assert all(len(choices) == 1 for choices in taken)
    assert record.disk_bytes == sum(choices[0].disk_bytes for choices in taken)
    assert record.ram_bytes == sum(choices[0].ram_bytes for choices in taken)
    assert record.dense_bytes == sum(tensor.choices[0].disk_bytes for tensor in record.tensors)
    assert all(tensor.choices[0].route == "dense" for tensor in record.tensors)
    assert (record.target, record.objective) == ("litert", objective)


def test_a_plan_is_the_same_after_json():
    record = planned(LAYERS)
    document = json.loads(json.dumps(as_json("plan", record), allow_nan=False))
    assert (document.pop("schema_version"), document.pop("kind")) == (1, "plan")
    assert TypeAdapter(PlanRecord).validate_python(document) == record


def test_the_table_has_a_line_for_each_choice_and_the_reason_at_the_one_taken():
    record = planned(LAYERS)
    console = Console(file=io.StringIO(), width=500, markup=False, emoji=False, highlight=False)
    console.print(plan_table(record.tensors))
    lines = console.file.getvalue().splitlines()
    for tensor in record.tensors:
        for choice in tensor.choices:
            name = choice.layout if choice.route == "dense" else f"{choice.layout}, {choice.route}"
            found = [line for line in lines if f" {name} " in line and f" {choice.disk_bytes:,} " in line]
            assert any((tensor.reason in line) == choice.taken for line in found)
            assert any(f" {choice.ram_bytes:,} " in line for line in found)
