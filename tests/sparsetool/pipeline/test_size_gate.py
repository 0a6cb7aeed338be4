"""Limits on sizes: kept to the byte, told whether kept or not."""

import json

import numpy as np
import pytest
from models_in_memory import mlp

from sparsetool.budget import Budget, Budgets
from sparsetool.pipeline.baseline import read_baseline, update_baseline
from sparsetool.pipeline.size_gate import SizeGate, SizeLimitError, check_limits, size_gate
from sparsetool.report.records import Sizes
from sparsetool_converters.errors import BudgetExceededError, UsageError

SIZES = Sizes(disk=1000, gzip=700, zstd=650, wire=500)
MODEL = mlp([np.ones((4, 4), np.float32)])


def measured(gate, sizes=SIZES):
    return gate.measure("small", MODEL, sizes)


@pytest.mark.parametrize("kind", ["disk", "gzip", "zstd", "wire"])
def test_a_size_equal_to_its_limit_is_within_it_and_one_byte_more_is_over(kind):
    exact = getattr(SIZES, kind)
    (kept,) = measured(SizeGate(budgets=Budgets(every=Budget(**{kind: exact})))).limits
    assert (kept.size, kept.actual_bytes, kept.limit_bytes, kept.kept) == (kind, exact, exact, True)
    sized = measured(SizeGate(budgets=Budgets(every=Budget(**{kind: exact - 1}))))
    assert not sized.limits[0].kept
    with pytest.raises(SizeLimitError) as caught:
        check_limits([sized])
    assert isinstance(caught.value, BudgetExceededError)
    assert str(caught.value) == f"small: {kind} size is {exact:,} bytes, 1 over the budget of {exact - 1}"
    assert caught.value.artifacts == (sized,)


def test_ram_is_measured_where_it_is_limited():
    (limit,) = measured(SizeGate(budgets=Budgets(every=Budget(ram=10**9)))).limits
    assert limit.kept
    assert 0 <= limit.actual_bytes < 10**9
    (broken,) = measured(SizeGate(budgets=Budgets(every=Budget(ram=0)))).limits
    assert broken.kept == (broken.actual_bytes == 0)


@pytest.mark.parametrize(("share", "kept"), [(0.0, False), (0.009, False), (0.01, True), (0.02, True)])
def test_growth_of_disk_and_wire_is_limited_to_a_share_of_the_baseline(share, kept):
    before = Sizes(disk=1000, gzip=1, zstd=1, wire=500)
    after = Sizes(disk=1010, gzip=9, zstd=9, wire=500)
    sized = measured(SizeGate(baseline={"small": before}, max_regression=share), after)
    assert sized.baseline == before
    assert [(limit.size, limit.rule, limit.kept) for limit in sized.limits] == [
        ("disk", "regression", kept),
        ("wire", "regression", True),
    ]


def test_growth_is_told_with_both_sizes_and_the_share():
    sized = measured(SizeGate(baseline={"small": Sizes(disk=800, gzip=1, zstd=1, wire=500)}, max_regression=0.1))
    with pytest.raises(SizeLimitError) as caught:
        check_limits([sized])
    assert str(caught.value) == (
        "small: disk size is 1,000 bytes, 120 over the 880 that its baseline of 800 allows (+25.00%)"
    )


def test_an_artifact_that_the_baseline_does_not_know_has_no_limit_on_growth():
    sized = measured(SizeGate(baseline={"other": SIZES}))
    assert (sized.baseline, sized.limits) == (None, ())


def test_what_only_the_baseline_knows_is_named():
    assert SizeGate(baseline={"b": SIZES, "a": SIZES, "small": SIZES}).gone(["small"]) == ("a", "b")


def test_growth_that_is_to_be_accepted_is_compared_and_not_limited():
    sized = measured(SizeGate(baseline={"small": Sizes(disk=1, gzip=1, zstd=1, wire=1)}, updates=True))
    assert sized.baseline is not None
    assert sized.limits == ()


def test_a_baseline_comes_back_by_name_and_keeps_what_was_not_measured(tmp_path):
    path = tmp_path / "sizes.json"
    other = Sizes(disk=4, gzip=3, zstd=2, wire=1)
    update_baseline(path, {"small": SIZES, "big": SIZES})
    update_baseline(path, {"small": other})
    assert read_baseline(path) == {"small": other, "big": SIZES}
    assert [entry["name"] for entry in json.loads(path.read_text())["artifacts"]] == ["big", "small"]


def test_an_unchanged_baseline_is_left_alone(tmp_path):
    path = tmp_path / "sizes.json"
    update_baseline(path, {"small": SIZES})
    before = path.stat()
    update_baseline(path, {"small": SIZES})
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory; --update-baseline writes it"),
        ("", "is damaged"),
        ("[]", "is no JSON document of the kind 'baseline'"),
        ('{"kind": "baseline", "schema_version": 99, "artifacts": []}', "is of schema version 99"),
        ('{"kind": "baseline", "schema_version": 1, "artifacts": [{"name": "a"}]}', "is damaged: artifacts.0.sizes"),
    ],
)
def test_what_is_no_baseline_is_a_usage_error(tmp_path, content, problem):
    path = tmp_path / "sizes.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=f"^baseline {path}: {problem}"):
        size_gate(baseline=path)


def test_only_an_update_does_without_a_baseline(tmp_path):
    assert size_gate(baseline=tmp_path / "sizes.json", updates=True).baseline == {}


@pytest.mark.parametrize(
    ("asked", "option"), [({"max_regression": 0.1}, "--max-regression"), ({"updates": True}, "--upd")]
)
def test_what_is_asked_of_no_baseline_is_refused(asked, option):
    with pytest.raises(UsageError, match=f"{option}.* needs --baseline"):
        size_gate(**asked)
