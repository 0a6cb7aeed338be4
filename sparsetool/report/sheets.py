"""A table before it has a face: the same cells are drawn on a terminal and on a page."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sparsetool.report.figures import NOTHING, legible


class Tone(StrEnum):
    """What a cell says besides its text."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    QUIET = "quiet"
    """Of little interest."""


@dataclass(frozen=True)
class Cell:
    """A text and its tone."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        title: its head.
        numeric: whether it holds figures, which are set to the right.
        wide: whether it holds sentences, which may take several lines.
    """

    title: str
    numeric: bool = False
    wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table.

    Attributes:
        title: what it shows.
        columns: its columns; the first one names the row.
        rows: a cell for each column, legible.
        notes: sentences under it.
        folded: whether a page may show it only when asked, since it is long or of detail.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    folded: bool = False


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a report.

    Attributes:
        key: names it in links.
        title: its heading.
        sentences: what is to be said first, or instead of tables.
        sheets: its tables.
    """

    key: str
    title: str
    sentences: tuple[str, ...] = ()
    sheets: tuple[Sheet, ...] = field(default=())


def sheet(
    title: str,
    columns: Sequence[Column | str],
    rows: Sequence[Sequence[Cell | str]],
    *,
    notes: Sequence[str] = (),
    folded: bool = False,
) -> Sheet:
    """A table of legible cells, without the columns that hold nothing; a bare title is one of figures."""
    heads = [Column(c, numeric=True) if isinstance(c, str) else c for c in columns]
    cells = [[_legible(c) for c in row] for row in rows]
    told = [i for i in range(len(heads)) if i == 0 or any(row[i].text not in ("", NOTHING) for row in cells)]
    return Sheet(
        title=legible(title),
        columns=tuple(heads[i] for i in told),
        rows=tuple(tuple(row[i] for i in told) for row in cells),
        notes=tuple(map(_sentence, notes)),
        folded=folded,
    )


def section(key: str, title: str, sentences: Sequence[str] = (), sheets: Sequence[Sheet] = ()) -> Section:
    """A section of legible sentences."""
    return Section(key=key, title=title, sentences=tuple(map(_sentence, sentences)), sheets=tuple(sheets))


def _legible(cell: Cell | str) -> Cell:
    given = Cell(cell) if isinstance(cell, str) else cell
    return Cell(_sentence(given.text), given.tone)


def _sentence(text: str) -> str:
    """Words of ours with names out of files between them: each word by itself, so that none is cut off at the end."""
    return " ".join(map(legible, text.split(" ")))
