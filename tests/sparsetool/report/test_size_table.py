"""The table of sizes: every figure of the record, in the order that it has."""

# ruff: noqa: RUF001 (minus signs and dashes, as tables show them)

import io
from dataclasses import replace

import pytest
from rich.console import Console

from sparsetool.report.records import Sizes
from sparsetool.report.size_records import SizesRecord
from sparsetool.report.size_table import headline, size_markdown, size_sheet
from sparsetool.report.terminal import sheet_table

ROWS = [
    ("grown", "disk", "1,000", "800", "+200", "+25.00", "880", "regression", "over by 120"),
    ("grown", "wire", "500", "510", "−10", "−1.96", "561", "regression", "kept"),
    ("grown", "zstd", "650", "640", "+10", "+1.56", "650", "budget", "kept"),
    ("grown", "ram", "5,000", "", "", "", "4,096", "budget", "over by 904"),
    ("fresh", "disk", "90", "", "", "", "90", "budget", "kept, new"),
    ("fresh", "wire", "60", "", "", "", "", "", "new"),
    ("free", "disk", "9", "9", "±0", "+0.00", "", "", "–"),
    ("free", "wire", "6", "0", "+6", "–", "", "", "–"),
    ("old", "", "", "", "", "", "", "", "gone"),
    ("bad.tflite", "", "", "", "", "", "", "", "no result"),
]


def test_each_size_stands_beside_its_baseline_and_the_lowest_of_its_limits(gated):
    sheet = size_sheet(gated)
    assert [tuple(cell.text for cell in row) for row in sheet.rows] == ROWS
    assert sheet.notes == ("ModelFormatError: bad.tflite: no flatbuffer",)


def test_without_baseline_and_limits_there_are_no_columns_for_them(gated):
    plain = SizesRecord(artifacts=tuple(replace(a, baseline=None, limits=()) for a in gated.artifacts))
    sheet = size_sheet(plain)
    assert [column.title for column in sheet.columns] == ["artifact", "size", "bytes"]
    assert [cell.text for cell in sheet.rows[0]] == ["grown", "disk", "1,000"]


def test_the_terminal_shows_the_same_cells(gated):
    console = Console(file=io.StringIO(), width=160)
    console.print(sheet_table(size_sheet(gated)))
    shown = [line.split() for line in console.file.getvalue().splitlines()]
    for row in ROWS:
        assert " ".join(filter(None, row)).split() in shown


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "2 of 4 artifacts failed: 1 over a limit, 1 without a result"),
        ({"failures": ()}, "1 of 3 artifacts failed: 1 over a limit"),
        ({"artifacts": ()}, "1 of 1 artifact failed: 1 without a result"),
    ],
)
def test_the_headline_counts_artifacts_that_failed_and_all(gated, changes, said):
    assert headline(replace(gated, **changes)) == said


def test_the_headline_tells_limits_that_are_kept_from_none(gated):
    grown, fresh, free = gated.artifacts
    assert headline(SizesRecord(artifacts=(fresh, free))) == "0 of 2 artifacts failed; all limits on sizes are kept"
    assert headline(SizesRecord(artifacts=(free,))) == "0 of 1 artifact failed; there is no limit on any size"
    assert grown.limits


def test_markdown_is_the_headline_and_the_table(gated):
    few = SizesRecord(artifacts=(replace(gated.artifacts[0], sizes=Sizes(disk=1_000, gzip=7, zstd=650, wire=500)),))
    assert size_markdown(few) == (
        "**1 of 1 artifact failed: 1 over a limit**\n"
        "\n"
        "| artifact | size | bytes | baseline | change | change, % | limit | rule | verdict |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |\n"
        "| grown | disk | 1,000 | 800 | +200 | +25.00 | 880 | regression | **over by 120** |\n"
        "| grown | wire | 500 | 510 | −10 | −1.96 | 561 | regression | kept |\n"
        "| grown | zstd | 650 | 640 | +10 | +1.56 | 650 | budget | kept |\n"
        "| grown | ram | 5,000 |  |  |  | 4,096 | budget | **over by 904** |\n"
    )


def test_markdown_says_why_there_is_no_result(gated):
    assert size_markdown(gated).endswith("\n\n- ModelFormatError: bad.tflite: no flatbuffer\n")
