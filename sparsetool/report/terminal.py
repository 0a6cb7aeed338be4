"""Sheets and sections on a terminal."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from sparsetool.report.sheets import Cell, Section, Sheet, Tone
from sparsetool.report.tables import plain_table

_STYLES = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.BAD: "bold red", Tone.QUIET: "dim"}


def sheet_table(sheet: Sheet) -> Table:
    """A sheet as a terminal table."""
    table = plain_table(sheet.title)
    for column in sheet.columns:
        if column.numeric:
            table.add_column(column.title, justify="right", overflow="fold")
        else:
            table.add_column(column.title, overflow="fold", ratio=3 if column.wide else None)
    for row in sheet.rows:
        table.add_row(*map(_text, row))
    if sheet.notes:
        table.caption, table.caption_justify = "\n".join(sheet.notes), "left"
    return table


def section_lines(section: Section) -> Iterator[RenderableType]:
    """A section under its heading, the sentences as they are and the sheets as tables."""
    yield f"\n{section.title}\n"
    yield from section.sentences
    for sheet in section.sheets:
        yield sheet_table(sheet)


def _text(cell: Cell) -> Text:
    return Text(cell.text, style=_STYLES[cell.tone])
