"""What timing two models measured, as terminal tables and sentences."""

from rich.table import Table

from sparsetool.report.bench_record import BenchRecord, RatioRecord, SpreadRecord, TimedModelRecord
from sparsetool.report.tables import plain_table

QUANTITIES = {
    "load_ms": "load",
    "first_ms": "first inference",
    "steady_ms": "steady latency",
    "resident_bytes": "resident memory",
}
MOST_OPERATORS = 10  # in a table; the record has all


def bench_table(record: BenchRecord) -> Table:
    """Median and quartiles of each quantity, and the ratio with its interval."""
    table = plain_table(
        f"{record.kernel_set} kernels, {record.threads} thread{'s' * (record.threads > 1)}, {record.runtime}, "
        f"{record.processor}"
    )
    table.add_column("quantity", no_wrap=True)
    for name in (record.reference.name, record.candidate.name):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("ratio, 99 % interval", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for ratio in record.ratios:
        cells = (_spread(getattr(one, ratio.quantity), ratio.quantity) for one in (record.reference, record.candidate))
        interval = f"{ratio.ratio:.3g} ({ratio.low:.3g} to {ratio.high:.3g})"
        table.add_row(QUANTITIES[ratio.quantity], *cells, interval, ratio.verdict)
    table.caption_justify = "left"
    table.caption = (
        "medians and quartiles; load is from the page cache to allocated tensors; resident memory is growth since "
        "before load,\nand includes what the runtime has read of the model file that it maps"
    )
    return table


def operator_table(model: TimedModelRecord) -> Table:
    """The slowest operators of one model."""
    table = plain_table(f"Operators of {model.name}, by the runtime's profiler")
    table.add_column("operator", overflow="fold")
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    for operator in model.operators[:MOST_OPERATORS]:
        table.add_row(operator.name, f"{operator.ms:.3f}", f"{operator.share:.1%}")
    left = len(model.operators) - MOST_OPERATORS
    if left > 0:
        table.caption, table.caption_justify = f"and {left} faster ones", "left"
    return table


def verdict_sentence(ratio: RatioRecord) -> str:
    """One sentence: what was decided about a quantity.

    "steady latency: 4.8x faster (4.5 to 5.1)", "load: no difference (inside the noise, ±3 %)".
    """
    name = QUANTITIES[ratio.quantity]
    if ratio.verdict == "no difference":
        noise = max(ratio.high, 1 / ratio.low) - 1
        within = f"±{noise:.1%}" if noise < 0.1 else f"±{noise:.0%}"
        return f"{name}: no difference (inside the noise, {within.replace('%', ' %')})"
    less, more = ("smaller", "larger") if ratio.quantity == "resident_bytes" else ("faster", "slower")
    if ratio.verdict == "smaller":
        return f"{name}: {1 / ratio.ratio:.3g}x {less} ({1 / ratio.high:.3g} to {1 / ratio.low:.3g})"
    return f"{name}: {ratio.ratio:.3g}x {more} ({ratio.low:.3g} to {ratio.high:.3g})"


def _spread(spread: SpreadRecord, quantity: str) -> str:
    unit, scale = ("MB", 1e-6) if quantity == "resident_bytes" else ("ms", 1.0)
    median, low, high = (f"{value * scale:.4g}" for value in (spread.median, spread.low, spread.high))
    return f"{median} {unit} ({low} to {high}), {spread.count}x"
