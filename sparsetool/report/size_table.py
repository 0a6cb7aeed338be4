"""A gate on sizes as a table: what each artifact takes, took, and may take."""

from collections.abc import Iterator

from sparsetool.report.figures import NOTHING, count, plural, saved
from sparsetool.report.markdown import sheet_markdown
from sparsetool.report.records import SizeLimitRecord
from sparsetool.report.sheets import Cell, Column, Sheet, Tone, sheet
from sparsetool.report.size_records import SizedRecord, SizesRecord

ALWAYS = ("disk", "wire")  # of the other kinds of size, those that are limited
KINDS = ("disk", "wire", "gzip", "zstd", "ram")
_COLUMNS = (
    Column("artifact"), Column("size"), "bytes", "baseline", "change", "change, %", "limit", Column("rule"),
    Column("verdict"),
)  # fmt: skip


def headline(record: SizesRecord) -> str:
    """How many artifacts fail, of how many, and for what reason."""
    over, failed = len({name for name, _ in record.broken}), len(record.failures)
    verdict = f"{over + failed:,} of {plural(len(record.artifacts) + failed, 'artifact')} failed"
    if over or failed:
        reasons = (f"{over:,} over a limit" if over else "", f"{failed:,} without a result" if failed else "")
        return f"{verdict}: {', '.join(filter(None, reasons))}"
    limited = any(sized.limits for sized in record.artifacts)
    return f"{verdict}; {'all limits on sizes are kept' if limited else 'there is no limit on any size'}"


def size_markdown(record: SizesRecord) -> str:
    """The headline and the table, for a pull request."""
    return f"**{headline(record)}**\n\n{sheet_markdown(size_sheet(record))}"


def size_sheet(record: SizesRecord) -> Sheet:
    """A row for each kind of size of each artifact, then those that are gone and those that failed."""
    compared = bool(record.gone) or any(sized.baseline is not None for sized in record.artifacts)
    rows = [row for sized in record.artifacts for row in _rows(sized, compared=compared)]
    rows += [_without_sizes(name, Cell("gone", Tone.QUIET)) for name in record.gone]
    rows += [_without_sizes(each.name, Cell("no result", Tone.BAD)) for each in record.failures]
    notes = tuple(f"{each.error}: {each.told}" for each in record.failures)
    return sheet("Sizes in bytes", _COLUMNS, rows, notes=notes)


def _rows(sized: SizedRecord, *, compared: bool) -> Iterator[tuple[Cell | str, ...]]:
    for kind in KINDS:
        limits = [limit for limit in sized.limits if limit.size == kind]
        if kind not in ALWAYS and not limits:
            continue
        actual = limits[0].actual_bytes if limits else int(getattr(sized.sizes, kind))
        before = None if sized.baseline is None else getattr(sized.baseline, kind, None)  # none knows RAM
        tightest = min(limits, key=lambda limit: limit.limit_bytes, default=None)
        yield (
            sized.name,
            kind,
            count(actual),
            *(("", "", "") if before is None else (count(before), _change(before, actual), _share(before, actual))),
            *(("", "") if tightest is None else (count(tightest.limit_bytes), tightest.rule)),
            _verdict(tightest, new=compared and sized.baseline is None),
        )


def _without_sizes(name: str, verdict: Cell) -> tuple[Cell | str, ...]:
    return (name, *[""] * (len(_COLUMNS) - 2), verdict)


def _change(before: int, after: int) -> Cell:
    """Growth is bad news only beyond a limit, which the verdict tells."""
    tone = Tone.QUIET if before == after else Tone.GOOD if after < before else Tone.PLAIN
    return Cell(saved(before, after), tone)


def _share(before: int, after: int) -> str:
    if not before:
        return NOTHING
    return f"{'−' if after < before else '+'}{100 * abs(after / before - 1):.2f}"  # noqa: RUF001


def _verdict(tightest: SizeLimitRecord | None, *, new: bool) -> Cell:
    """Whether the lowest limit is kept, and with it all others."""
    more = ", new" if new else ""
    if tightest is None:
        return Cell("new" if new else NOTHING, Tone.QUIET)
    if tightest.kept:
        return Cell(f"kept{more}", Tone.GOOD)
    return Cell(f"over by {count(tightest.actual_bytes - tightest.limit_bytes)}{more}", Tone.BAD)
