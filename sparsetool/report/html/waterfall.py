"""A waterfall of bytes: where its bars and words lie.

dense    ######################   135,600
compact            ------------   −74,288
encode   ----------                −9,000
result   ##                        12,312
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sparsetool.report.figures import count, saved
from sparsetool.report.ledger import Step
from sparsetool.report.sheets import Tone

WIDTH, ROW = 360.0, 26.0  # units of the drawing, about pixels
LABELS, BARS = 96.0, 172.0
LONGEST_LABEL = 15  # characters
THINNEST = 1.5


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row.

    Attributes:
        label: its name, cut to the room that there is.
        name: the whole name.
        x: left end of the bar.
        width: of the bar.
        y: upper end of the row.
        figure: bytes, or their change.
        tone: plain for a whole model, good for what went, bad for what came.
    """

    label: str
    name: str
    x: float
    width: float
    y: float
    figure: str
    tone: Tone


@dataclass(frozen=True, kw_only=True)
class Waterfall:
    """A drawing.

    Attributes:
        title: what is drawn.
        bars: its rows.
        height: of all of them.
    """

    title: str
    bars: tuple[Bar, ...]
    height: float

    @property
    def words(self) -> str:
        """The same without the picture."""
        return f"{self.title}: {'; '.join(f'{bar.name} {bar.figure}' for bar in self.bars)}"


def waterfall(title: str, steps: Sequence[Step]) -> Waterfall:
    """Lay out what each stage changed."""
    largest = max([1, *(max(step.before, step.after) for step in steps)])
    bars = []
    for row, step in enumerate(steps):
        whole = row in (0, len(steps) - 1)
        low, high = sorted((step.before, step.after))
        tone = Tone.PLAIN if whole else Tone.QUIET if low == high else Tone.GOOD if step.after == low else Tone.BAD
        bars.append(
            Bar(
                label=step.label if len(step.label) <= LONGEST_LABEL else f"{step.label[: LONGEST_LABEL - 1]}…",
                name=step.label,
                x=round(LABELS + BARS * low / largest, 2),
                width=round(max(BARS * (high - low) / largest, THINNEST), 2),
                y=row * ROW,
                figure=count(step.after) if whole else saved(step.before, step.after),
                tone=tone,
            )
        )
    return Waterfall(title=title, bars=tuple(bars), height=len(bars) * ROW)
