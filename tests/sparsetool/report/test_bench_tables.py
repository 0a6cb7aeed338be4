"""Sentences and tables of what timing measured."""

import pytest
from rich.console import Console

from sparsetool.report.bench_record import (
    BenchRecord,
    OperatorTimeRecord,
    RatioRecord,
    SpreadRecord,
    TimedModelRecord,
)
from sparsetool.report.bench_tables import bench_table, operator_table, verdict_sentence


def ratio(quantity: str, verdict: str, ratio: float, low: float, high: float) -> RatioRecord:
    return RatioRecord(quantity=quantity, ratio=ratio, low=low, high=high, rounds=16, verdict=verdict)


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (ratio("steady_ms", "smaller", 0.2, 0.16, 0.25), "steady latency: 5x faster (4 to 6.25)"),
        (ratio("load_ms", "larger", 2.5, 2.0, 3.0), "load: 2.5x slower (2 to 3)"),
        (ratio("resident_bytes", "smaller", 0.5, 0.4, 0.5), "resident memory: 2x smaller (2 to 2.5)"),
        (ratio("resident_bytes", "larger", 1.5, 1.4, 1.6), "resident memory: 1.5x larger (1.4 to 1.6)"),
        (
            ratio("first_ms", "no difference", 1.0, 0.9, 1.03),
            "first inference: no difference (inside the noise, ±11 %)",
        ),
        (ratio("load_ms", "no difference", 1.0, 0.99, 1.03), "load: no difference (inside the noise, ±3.0 %)"),
    ],
)
def test_a_verdict_is_a_sentence(record, sentence):
    assert verdict_sentence(record) == sentence


def shown(table) -> str:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(table)
    return console.export_text()


def model(name: str, operators: int = 0) -> TimedModelRecord:
    spread = SpreadRecord(median=2e6, low=1e6, high=3e6, count=16)
    return TimedModelRecord(
        name=name,
        sha256="",
        disk_bytes=1,
        load_ms=spread,
        first_ms=spread,
        steady_ms=spread,
        resident_bytes=spread,
        operators=tuple(OperatorTimeRecord(name=f"op {i}", ms=0.5, share=1 / operators) for i in range(operators)),
    )


def test_the_table_has_a_row_for_each_quantity():
    record = BenchRecord(
        reference=model("dense.tflite"),
        candidate=model("small.tflite"),
        ratios=(ratio("resident_bytes", "smaller", 0.5, 0.4, 0.6),),
        sparse=(),
        notes=(),
        kernel_set="default",
        threads=2,
        processor="cpu",
        runtime="runtime 1",
    )
    text = shown(bench_table(record))
    assert "default kernels, 2 threads, runtime 1, cpu" in text
    (row,) = (line.split() for line in text.splitlines() if line.strip().startswith("resident memory  "))
    assert " ".join(row) == "resident memory 2 MB (1 to 3), 16x 2 MB (1 to 3), 16x 0.5 (0.4 to 0.6) smaller"


def test_only_the_slowest_operators_are_shown():
    text = shown(operator_table(model("small.tflite", operators=12)))
    assert text.count("op ") == 10
    assert "and 2 faster ones" in text
