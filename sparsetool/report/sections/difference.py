"""Two models side by side."""

from collections import Counter

from sparsetool.report.diff_record import DiffRecord
from sparsetool.report.figures import NOTHING, count, error, plural, saved, smaller
from sparsetool.report.sheets import Cell, Column, Section, Sheet, Tone, section, sheet
from sparsetool.report.verification_record import WeightRecord

_CONSTANTS = (
    Column("constant"), Column("operator"), Column("type"), Column("stored"), Column("is"), "values differ",
    "largest error", "zeros before", "of them kept", "bytes before", "bytes after",
)  # fmt: skip
_SIZES = ("disk", "gzip", "zstd", "wire")


def difference_section(record: DiffRecord) -> Section:
    """Sizes, operators, interface and constants; equal parts are counted."""
    names = record.first.name, record.second.name
    if record.identical:
        return section("difference", f"{names[0]} and {names[1]}", ("Both are the same bytes.",), (_sizes(record),))
    said = list(record.differences) or ["Inputs, outputs, signatures, metadata and wiring are the same."]
    said += [f"{note}." for note in record.notes]
    counts = Counter(_change(constant) for constant in record.constants)
    said.append(
        f"{plural(len(record.constants), 'constant')}: {', '.join(f'{n:,} {what}' for what, n in counts.items())}."
    )
    if record.added:
        said.append(f"Only in {names[1]}: {', '.join(record.added)}.")
    sheets = [_sizes(record), _operators(record)]
    changed = [constant for constant in record.constants if _change(constant) != "equal"]
    if changed:
        sheets.append(sheet("Constants that differ", _CONSTANTS, [_row(constant) for constant in changed]))
    return section("difference", f"{names[0]} and {names[1]}", said, sheets)


def _change(constant: WeightRecord) -> str:
    if constant.relation == "identical" and constant.stored == constant.stored_before:
        return "equal"
    return "equal, stored otherwise" if constant.relation == "identical" else constant.relation


def _sizes(record: DiffRecord) -> Sheet:
    pairs = [(name, getattr(record.first.sizes, name), getattr(record.second.sizes, name)) for name in _SIZES]
    rows = [(name, count(a), count(b), _saved(a, b), smaller(a, b)) for name, a, b in pairs]
    return sheet("Sizes in bytes", (Column("size"), record.first.name, record.second.name, "change", "ratio"), rows)


def _saved(before: int, after: int) -> Cell:
    tone = Tone.QUIET if before == after else Tone.GOOD if after < before else Tone.BAD
    return Cell(saved(before, after), tone)


def _operators(record: DiffRecord) -> Sheet:
    rows = [
        (o.operator, count(o.before), Cell(count(o.after), Tone.QUIET if o.before == o.after else Tone.PLAIN))
        for o in record.operators
    ]
    return sheet("Operators", (Column("operator"), record.first.name, record.second.name), rows)


def _row(constant: WeightRecord) -> tuple[str, ...]:
    same_type = constant.type_after in ("", constant.type_before)
    types = constant.type_before if same_type else f"{constant.type_before} to {constant.type_after}"
    same_store = constant.stored in ("", constant.stored_before)
    return (
        constant.name,
        constant.op or NOTHING,
        types.lower(),
        constant.stored_before if same_store else f"{constant.stored_before} to {constant.stored}",
        constant.relation,
        f"{count(constant.differing)} of {count(constant.weights)}",
        error(constant.max_abs_error),
        count(constant.zeros),
        count(constant.zeros_kept),
        count(constant.bytes_before),
        count(constant.bytes_after),
    )
