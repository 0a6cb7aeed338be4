"""Sizes as people write them, and limits that are kept to the byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsetool.budget import SIZE_KINDS, Budget, Budgets, parse_size
from sparsetool_converters.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1048576", 1_048_576),
        ("12B", 12),
        ("600KB", 600_000),
        ("600 kb", 600_000),
        ("1.2MB", 1_200_000),
        ("1.60MB", 1_600_000),
        ("0.48MB", 480_000),
        ("2GB", 2_000_000_000),
        ("64KiB", 65_536),
        ("1.5MiB", 1_572_864),
        ("1gib", 1_073_741_824),
        ("  7 KB ", 7_000),
    ],
)
def test_mb_is_a_million_bytes_and_mib_two_to_the_twentieth(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("thousandths", range(1, 1000, 7))
def test_decimal_fraction_of_a_size_is_exact(thousandths):
    assert parse_size(f"1.{thousandths:03d}MB") == 1_000_000 + thousandths * 1000


@pytest.mark.parametrize("text", ["", "MB", "1.2.3MB", "-1MB", "1,2MB", "1TB", "1e6", "0x10", "nan", "1 M B", ".5MB"])
def test_what_is_no_size_is_refused_with_examples(text):
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert repr(text) in str(caught.value)
    assert "1.2MB, 600KB, 64KiB" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "disk", "wire"),
    [
        ("disk=1.2MB,wire=600KB", 1_200_000, 600_000),
        ("wire=600KB, disk=1.2MB", 1_200_000, 600_000),
        ("disk=5", 5, None),
        ("wire=1KiB", None, 1024),
    ],
)
def test_budget_gives_disk_and_wire_in_any_order_or_alone(text, disk, wire):
    assert Budget.parse(text) == Budget(disk=disk, wire=wire)


@pytest.mark.parametrize("text", ["", "1MB", "flash=1MB", "disk=1MB,disk=2MB", "disk=1MB,", "disk", "Disk=1MB"])
def test_budget_of_another_kind_or_given_twice_is_refused(text):
    with pytest.raises(
        UsageError, match=r"each of disk, gzip, zstd, wire, ram at most once, as disk=1\.2MB,wire=600KB"
    ):
        Budget.parse(text)


def test_budget_without_a_size_is_refused():
    with pytest.raises(UsageError, match="'' is not a size"):
        Budget.parse("disk=")


def test_every_kind_of_size_has_a_limit():
    assert Budget.parse("disk=1,gzip=2,zstd=3,wire=4,ram=5").limits == dict(zip(SIZE_KINDS, range(1, 6), strict=True))


def test_limits_of_one_artifact_go_before_those_of_every_artifact_kind_by_kind():
    budgets = Budgets.parse(["disk=1MB,wire=500KB", "small:disk=200KB", "small:ram=1MB"])
    assert budgets.of("small") == Budget(disk=200_000, wire=500_000, ram=1_000_000)
    assert budgets.of("other") == Budget(disk=1_000_000, wire=500_000)


def test_of_two_limits_on_the_same_the_last_counts():
    assert Budgets.parse(["disk=1MB", "disk=2MB,wire=1"]).of("any") == Budget(disk=2_000_000, wire=1)


def test_names_may_hold_colons():
    assert Budgets.parse(["a:b:disk=1"]).own == {"a:b": Budget(disk=1)}


def test_a_limit_of_what_is_not_made_is_refused_by_name():
    budgets = Budgets.parse(["smal:disk=1"])
    with pytest.raises(UsageError, match="there is a budget for 'smal', which is not made here; there are big, small"):
        budgets.check_names(["small", "big"])


def test_budgets_of_flags_go_before_those_of_a_recipe_for_every_artifact():
    recipe = Budgets.parse(["disk=9,wire=9", "small:disk=8,gzip=8"])
    both = Budgets.parse(["disk=5", "other:zstd=4"]).over(recipe)
    assert both.of("small") == Budget(disk=5, gzip=8, wire=9)
    assert both.of("other") == Budget(disk=5, zstd=4, wire=9)
    assert both.of("any") == Budget(disk=5, wire=9)


@given(st.lists(st.text() | st.from_regex(r"([a-z:]*)?(disk|ram|wire)=[0-9.]{1,4}[KMG]?i?B?", fullmatch=True)))
def test_any_text_is_a_budget_or_a_usage_error(texts):
    try:
        budgets = Budgets.parse(texts)
    except UsageError:
        return
    for name in (*budgets.own, "any"):
        assert all(limit >= 0 for limit in budgets.of(name).limits.values())
