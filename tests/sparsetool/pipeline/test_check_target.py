"""The table of a target, held against the runtime that is installed."""

from dataclasses import replace

import pytest

from sparsetool.pipeline.check_target import check_target
from sparsetool.verify import ALL_KERNEL_SETS
from sparsetool_converters.errors import UsageError
from sparsetool_converters.targets import LITERT, Outcome, Outcomes
from sparsetool_converters.targets.cases import cases_of

CASES = cases_of(LITERT)


@pytest.mark.slow
def test_installed_runtime_is_as_the_table_says(heard):
    record = check_target("litert", listener=heard)
    assert record.differences == ()
    assert len(record.trials) == len(CASES) * len(ALL_KERNEL_SETS)
    assert record.summary == (
        f"{len(CASES)} cases on 3 kernel sets of ai-edge-litert 2.3.0: no difference to the table of litert"
    )
    assert heard.tasks[-1] == ("check litert", len(record.trials), len(record.trials))


def test_difference_names_case_row_and_what_was_measured(monkeypatch):
    right = replace(CASES[0], expected=Outcomes.everywhere(Outcome.GARBAGE))
    monkeypatch.setattr("sparsetool.pipeline.check_target.cases_of", lambda target: (right, CASES[1]))
    record = check_target("litert", ["no-delegates"])
    (difference,) = record.differences
    assert (difference.case, difference.row, difference.kernel_set) == (CASES[0].name, "", "no-delegates")
    assert (difference.expected, difference.measured) == ("garbage", "right")
    assert record.summary.endswith("on 1 kernel set of ai-edge-litert 2.3.0: 1 difference to the table of litert")


def test_target_that_is_no_runtime_is_refused():
    with pytest.raises(UsageError, match="'portable' stands for readers of many kinds"):
        check_target("portable")


def test_unknown_kernel_set_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="known kernel sets: default, no-delegates, reference"):
        check_target("litert", ["xnnpack"])
