"""The terminal and the page show the record: each of its figures and words, and nothing that was made up."""

import html
import io
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hand_made_report import hand_made_report, leaves
from rich.console import Console

from sparsetool.report import figures
from sparsetool.report.html import Curve, MaskPicture, Pictures, render
from sparsetool.report.sections import sections_of
from sparsetool.report.terminal import section_lines

# Shown as a drawing only, or as a hash, or as a sum; what is said of the place is the end of its name.
ELSEWHERE = re.compile(
    r"sha256$|^pruning\.(model|variables|metrics|examples|mask_steps)|^pruning\.refreshes\.\d+\.zeros|"
    r"stages\.\d+\.sizes\.disk$|\.gates\.\d+\.kept$|bench\.ratios\.\d+\.quantity$|\.(encoded|identical|kept)$|"
    r"run\.artifacts\.0\.(stages\.0\.name)$|measured\.0\.artifact$|^missing"
)
PNG = b"\x89PNG\r\n\x1a\n"
PICTURES = Pictures(
    masks=(MaskPicture(artifact="small", layer="<b>w</b>", shape=(3, 5), png=PNG, width=50, height=30),),
    curves=(Curve(title="ramp", svg=b"<svg xmlns='http://www.w3.org/2000/svg'/>"),),
)


def on_terminal(record):
    console = Console(file=io.StringIO(), width=2000, markup=False, emoji=False, highlight=False)
    for section in sections_of(record):
        for line in section_lines(section):
            console.print(line)
    return console.file.getvalue()


def on_page(record):
    return html.unescape(re.sub(r"<[^>]+>", " ", render(record, Pictures())))


def forms(value):
    """All that our own figures make of a value; a face must show one of them."""
    if isinstance(value, str):
        return {value, value.lower()}
    if isinstance(value, int):
        return {figures.count(value), figures.shape([value]), figures.whole_bytes(value), f"{value:,} bytes"}
    shares = {f"{100 * value:.{digits}f}" for digits in (1, 2, 4)}
    return {*shares, figures.real(value), figures.error(value), figures.milliseconds(value), f"{value:.3f}",
            figures.decibels(value), figures.whole_bytes(value)}  # fmt: skip


@pytest.mark.parametrize("face", [on_terminal, on_page])
@pytest.mark.parametrize("trained", [True, False])
def test_every_figure_and_word_of_the_record_is_shown(face, trained):
    record = hand_made_report(trained=trained)
    text = face(record)
    looked_for = [
        (place, value) for place, value in leaves(record) if not ELSEWHERE.search(place) and value is not None
    ]
    assert len(looked_for) > 200
    absent = [(place, value) for place, value in looked_for if not any(form in text for form in forms(value))]
    assert absent == []


def test_a_changed_figure_changes_both_faces():
    record = hand_made_report()
    first = record.run.artifacts[0]
    other = replace(first, sizes=replace(first.sizes, wire=987_654_321))
    changed = replace(record, run=replace(record.run, artifacts=(other, *record.run.artifacts[1:])))
    for face in (on_terminal, on_page):
        assert "987,654,321" not in face(record)
        assert "987,654,321" in face(changed)


class Elements(HTMLParser):
    """Which elements a page has, and their attributes."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "\"onload='x'", "a\x00\x1b[31m\u202eb", "{{ 7 * 7 }}"]
)
def test_names_out_of_files_are_shown_and_do_nothing(hostile):
    record = hand_made_report()
    small = record.run.artifacts[1]
    stages = tuple(replace(stage, name=hostile, changes=(hostile,)) for stage in small.stages)
    tensors = tuple(replace(t, name=hostile, op=hostile, type=hostile, reason=hostile) for t in small.tensors)
    hurt = replace(small, name=hostile, stages=stages, tensors=tensors)
    run = replace(record.run, recipe=hostile, artifacts=(record.run.artifacts[0], hurt))
    mask = replace(PICTURES.masks[0], artifact=hostile, layer=hostile)
    page = render(replace(record, run=run, missing=(hostile,)), replace(PICTURES, masks=(mask,), missing=(hostile,)))
    elements = Elements()
    elements.feed(page)
    assert not {tag for tag, _ in elements.found} & {"script", "b", "iframe", "object"}
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    assert not re.search("[\x00-\x08\x1b\u202e]", page)
    shown = figures.legible(hostile)
    assert shown in html.unescape(page)
    assert shown in on_terminal(replace(record, run=run))


def test_the_same_record_gives_the_same_page_and_no_id_occurs_twice():
    page = render(hand_made_report(), PICTURES)
    assert page == render(hand_made_report(), PICTURES)
    elements = Elements()
    elements.feed(page)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids)) > 10
    assert all(attributes.get("alt") for tag, attributes in elements.found if tag == "img")


def test_the_page_names_no_address_but_its_own_parts():
    elements = Elements()
    elements.feed(render(hand_made_report(), PICTURES))
    sources = [a[key] for _, a in elements.found for key in ("src", "href") if key in a]
    assert sources
    assert all(source.startswith(("data:", "#")) for source in sources)


def test_numbers_that_are_none_are_told_as_such():
    record = hand_made_report()
    small = record.run.artifacts[1]
    outputs = tuple(replace(o, max_abs_error=math.nan, relative_error=math.inf) for o in small.outputs)
    run = replace(record.run, artifacts=(record.run.artifacts[0], replace(small, outputs=outputs)))
    for face in (on_terminal, on_page):
        assert "not finite" in face(replace(record, run=run))


def test_a_run_that_broke_a_gate_has_failed():
    record = hand_made_report()
    small = record.run.artifacts[1]
    kept = replace(small, findings=())
    first = replace(record.run.artifacts[0], findings=())
    run = replace(record.run, artifacts=(first, kept))
    assert ">Passed</strong>" in render(replace(record, run=run), Pictures())
    broken = replace(kept, gates=(replace(kept.gates[0], kept=False),))
    assert ">Failed</strong>" in render(replace(record, run=replace(run, artifacts=(first, broken))), Pictures())
