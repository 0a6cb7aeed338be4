"""Every figure of a report stands in the record, and every figure of the record in the report."""

import html
import io
import json
import re
from dataclasses import asdict

import pytest
from figures_in_records import figures_of, written
from pydantic import TypeAdapter
from rich.console import Console

from sparsetool.report.html import Pictures, render
from sparsetool.report.report_record import ReportRecord
from sparsetool.report.sections import sections_of
from sparsetool.report.terminal import section_lines

# Metrics and masks over the steps are drawn as curves; of a refresh, what all variables lost together is told.
DRAWN = ("pruning.variables", "pruning.metrics", "pruning.mask_steps")
TITLES = (
    "Summary", "Sizes through the stages", "Layers", "Training", "Accuracy by stage", "Verification",
    "Latency and memory on this machine", "Findings of the lint",
)  # fmt: skip


def terminal(report):
    console = Console(file=io.StringIO(), width=2000, markup=False, emoji=False, highlight=False)
    for section in sections_of(report):
        for line in section_lines(section):
            console.print(line)
    return console.file.getvalue()


def page(report, pictures):
    text = render(report, pictures)
    return html.unescape(re.sub(r"<[^>]*>", " ", text[text.index("<body>") :]))


@pytest.mark.parametrize("face", ["terminal", "page"])
def test_every_figure_of_the_record_is_shown(report, pictures, face):
    text = terminal(report) if face == "terminal" else page(report, pictures)
    shown = set(re.findall(r"[\d.,]+(?:e[+-]\d+)?", text)) | {n.rstrip(".,") for n in re.findall(r"[\d.,]+", text)}
    for place, number in figures_of(report):
        if place.startswith(tuple(f"record.{prefix}" for prefix in DRAWN)):
            continue
        ways = {re.match(r"[\d.,]+(?:e[+-]\d+)?", way).group() for way in written(number) if way[0].isdigit()}
        assert ways & shown, f"{place} is {number}"


def test_no_figure_is_shown_that_is_not_in_the_record(report):
    """Ratios, differences, shares and counts are computed of figures of the record; large numbers are not."""
    known = {way for _, number in figures_of(report) for way in written(number)}
    large = set(re.findall(r"(?<![\d.,+\u2212])\d{1,3}(?:,\d{3})+(?![\d.,])", terminal(report)))
    assert large <= {way.removesuffix(" ms") for way in known}


def test_every_section_is_there_with_and_without_training(report, pictures):
    text = render(report, pictures)
    assert re.findall(r"<h2 [^>]*>([^<]*)</h2>", text) == list(TITLES)
    assert [section.title for section in sections_of(report)] == list(TITLES)
    for section in sections_of(report):
        assert section.sentences or section.sheets


def test_the_record_is_the_same_after_json(report):
    document = json.loads(json.dumps(asdict(report), allow_nan=False))
    assert TypeAdapter(ReportRecord).validate_python(document) == report


def test_names_out_of_files_cannot_break_the_page(report, pictures):
    evil = "<script>alert(1)</script>\"'&\x00\x1b[31m"
    document = json.loads(json.dumps(asdict(report)))
    for artifact in document["run"]["artifacts"]:
        artifact["name"] = evil
        for part in ("stages", "tensors", "outputs", "findings", "kept", "gates"):
            for entry in artifact[part]:
                for key, value in entry.items():
                    if isinstance(value, str):
                        entry[key] = evil
    text = render(TypeAdapter(ReportRecord).validate_python(document), Pictures())
    assert "<script" not in text
    assert "\x00" not in text
    assert "\x1b" not in text


def test_the_same_record_gives_the_same_page(report, pictures):
    assert render(report, pictures) == render(report, pictures)


def test_nothing_is_fetched(report, pictures):
    text = render(report, pictures)
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", text)
    assert "url(" not in text
    assert "@import" not in text
