"""Sheets as Markdown, in GitHub's dialect."""

import re
from collections.abc import Iterable

from sparsetool.report.sheets import Cell, Sheet, Tone

_MARKUP = re.compile(r"[\\`*_\[\]<>|~&$#!]")
_MARKER = re.compile(r"^(\d*)([-+.)])")  # of an item: markup at the beginning of a line alone
_ESCAPED_MARKER = r"\1\\\2"


def markdown_text(text: str) -> str:
    """A line of text that reads the same in Markdown, between the bars of a table as well."""
    return _MARKUP.sub(r"\\\g<0>", text)


def sheet_markdown(sheet: Sheet) -> str:
    """A sheet as a table, bad news in bold, and its notes as a list."""
    lines = [
        _line(markdown_text(column.title) for column in sheet.columns),
        _line("---:" if column.numeric else "---" for column in sheet.columns),
        *(_line(map(_cell, row)) for row in sheet.rows),
    ]
    notes = [f"- {_MARKER.sub(_ESCAPED_MARKER, markdown_text(note.strip()))}" for note in sheet.notes]
    return "\n".join([*lines, *[""] * bool(notes), *notes]) + "\n"


def _cell(cell: Cell) -> str:
    text = markdown_text(cell.text)
    return f"**{text}**" if cell.tone is Tone.BAD and text else text


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
