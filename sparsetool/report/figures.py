"""Figures and names as text: every face of a record writes them by these, so that they are the same in all."""

import math
from collections.abc import Sequence

LONGEST_NAME = 160  # characters; names come from files
NOTHING = "–"  # noqa: RUF001 (a dash for what was not measured)


def count(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def saved(before: int, after: int) -> str:
    """What went, with its sign: −12,345, or +12 for what grew."""
    return "±0" if before == after else f"{'−' if after < before else '+'}{abs(after - before):,}"  # noqa: RUF001


def smaller(before: float, after: float) -> str:
    """How many times smaller: 12.3x; below one for what grew."""
    return f"{before / after:.1f}x" if after else NOTHING


def percent(share: float, digits: int = 1) -> str:
    """A share between 0 and 1: 12.3 %."""
    return f"{100 * share:.{digits}f} %" if math.isfinite(share) else "not finite"


def interval(low: float, high: float, digits: int = 2) -> str:
    """Both ends of shares: 98.50 to 98.96 %."""
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f} %"


def real(number: float | None) -> str:
    """A number of any size in four digits; None was not measured."""
    if number is None:
        return NOTHING
    return f"{number:.4g}" if math.isfinite(number) else "not finite"


def error(number: float | None) -> str:
    """An error, which is mostly tiny: 1.2e-05."""
    if number is None:
        return NOTHING
    return f"{number:.1e}" if math.isfinite(number) else "not finite"


def decibels(number: float | None) -> str:
    """38.2 dB."""
    if number is None:
        return NOTHING
    return f"{number:.1f} dB" if math.isfinite(number) else "not finite"


def milliseconds(number: float) -> str:
    """Three digits that count: 12.3 ms, 0.0456 ms."""
    return f"{number:.3g} ms" if number < 1000 else f"{number:,.0f} ms"


def whole_bytes(number: float) -> str:
    """Bytes of a measurement, which may lie between two of them."""
    return f"{number:,.0f}"


def shape(sizes: Sequence[int]) -> str:
    """3x3x8; a scalar has none."""
    return "x".join(map(str, sizes)) or "scalar"


def plural(number: int, noun: str) -> str:
    """1 layer, 2 layers."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def legible(name: str) -> str:
    """A name out of a file, which may hold anything: in one line, and not without end."""
    shown = visible(name)
    return shown if len(shown) <= LONGEST_NAME else f"{shown[:LONGEST_NAME]}..."


def visible(text: str) -> str:
    """The text with all that cannot be seen as escapes: in one line, without control characters and half surrogates."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
