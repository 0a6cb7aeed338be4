"""Sheets as Markdown: a reader of Markdown finds each cell again, whatever it holds."""

import html
import re

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sparsetool.report.markdown import sheet_markdown
from sparsetool.report.sheets import Cell, Column, Tone, sheet

READER = MarkdownIt("commonmark").enable("table").enable("strikethrough")
CELLS = st.tuples(*[st.text(min_size=1)] * 2).filter(lambda row: all(cell.strip() for cell in row))


def read(markdown):
    """The cells of the only table."""
    page = READER.render(markdown)
    assert page.count("<table>") == 1
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in page.split("<tr>")[1:]]
    return [[html.unescape(cell) for cell in row] for row in rows]


@given(st.lists(CELLS, min_size=1, max_size=3))
def test_every_cell_comes_back_as_text(rows):
    made = sheet("any", (Column("name"), Column("what")), rows)
    shown = [[cell.text.strip() for cell in row] for row in made.rows]
    assert read(sheet_markdown(made))[1:] == shown


def test_bars_backticks_and_markup_in_names_are_escaped():
    name = "a|b`c`**d**<img src=x>[e](f)\\|~~g~~ &amp; $h$"
    made = sheet("any", (Column("name"), "bytes"), [(name, "1")])
    assert read(sheet_markdown(made))[1:] == [[name, "1"]]
    assert "\\|b\\`c\\`" in sheet_markdown(made)


def test_bad_news_is_bold_and_figures_are_set_to_the_right():
    made = sheet("any", (Column("name"), "bytes"), [("a", Cell("over by 1", Tone.BAD))])
    assert sheet_markdown(made) == "| name | bytes |\n| --- | ---: |\n| a | **over by 1** |\n"


@given(st.one_of(st.text(min_size=1), st.from_regex(r"[-+=#>.):\d ]{1,4}.?", fullmatch=True)).filter(str.strip))
def test_a_note_is_one_item_of_a_list(text):
    made = sheet("any", (Column("name"),), [("a",)], notes=[text, "second"])
    page = READER.render(sheet_markdown(made))
    items = [html.unescape(item) for item in re.findall(r"<li>(.*?)</li>", page, re.DOTALL)]
    assert items == [made.notes[0].strip(), "second"]
