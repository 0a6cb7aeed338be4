"""What was found out about targets, as tables and lines."""

import io

from rich.console import Console

from sparsetool.report.target_records import (
    ExplainedWeight,
    ExplanationRecord,
    FindingRecord,
    TargetCheckRecord,
    TrialRecord,
    WayRecord,
)
from sparsetool.report.target_tables import difference_table, finding_lines, use_lines, weight_table

TRIALS = tuple(
    TrialRecord(case="case", row="", kernel_set=k, expected="right", measured=m, words=f"said {k}")
    for k, m in (("default", "garbage"), ("reference", "right"))
)
WEIGHT = ExplainedWeight(
    tensor="w",
    use="OP with T weights",
    shape=(4, 8),
    stored="csr",
    verdict="error",
    ways=(WayRecord(stored="block 1x4", cost="slow", source="file.cc"),),
    refused=(),
)


def finding(severity, operator):
    return FindingRecord(
        severity=severity,
        name="row",
        tensor="w",
        op="OP",
        subgraph=1,
        operator=operator,
        effect="reads garbage",
        outcomes="garbage on all kernel sets",
        way_out="store it dense",
        source="file.cc",
    )


def drawn(table):
    out = io.StringIO()
    Console(file=out, width=160).print(table)
    return out.getvalue()


def test_only_differences_are_drawn():
    record = TargetCheckRecord(target="litert", runtime="runtime 1.0", trials=TRIALS)
    shown = drawn(difference_table(record))
    assert "runtime 1.0 is not as the table of litert says" in shown
    assert "said default" in shown
    assert "said reference" not in shown
    assert record.summary == "1 case on 2 kernel sets of runtime 1.0: 1 difference to the table of litert"


def test_weight_is_drawn_with_its_verdict_and_its_use_told_once():
    record = ExplanationRecord(name="m.tflite", target="litert", weights=(WEIGHT, WEIGHT), findings=())
    assert "4x8" in drawn(weight_table(record))
    assert use_lines(record) == ["OP with T weights, on litert:", "  runs block 1x4: slow (file.cc)"]


def test_findings_are_a_line_each_and_counted():
    found = (finding("error", 3), finding("error", None), finding("warning", 0))
    record = ExplanationRecord(name="m.tflite", target="litert", weights=(), findings=found)
    assert finding_lines(record) == [
        "error: w in OP (subgraph 1, operator 3): reads garbage [garbage on all kernel sets]; store it dense (file.cc)",
        "error: w in OP: reads garbage [garbage on all kernel sets]; store it dense (file.cc)",
        "warning: w in OP (subgraph 1, operator 0): reads garbage; store it dense (file.cc)",
        "2 errors, 1 warning for litert",
    ]
