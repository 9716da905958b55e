"""The table of one scenario, for the terminal and as Markdown."""

from collections.abc import Sequence

from rich.table import Table

from bench.rows import ROWS
from bench.stats import Summary

__all__ = ["HEADINGS", "rate_text", "scenario_table", "table_cells"]

HEADINGS = (
    "row",
    "deliveries/s",
    "low to high",
    "x Node ws",
    "of floor",
    "per CPU s",
    "server",
    "client",
    "peak MB",
    "fair",
    "doubts",
)


def scenario_table(title: str, summaries: Sequence[Summary]) -> Table:
    """Return the table for the terminal."""
    table = Table(title=title, title_justify="left")
    for index, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if 0 < index < len(HEADINGS) - 1 else "left")
    for summary in summaries:
        table.add_row(*table_cells(summary))
    return table


def table_cells(summary: Summary) -> list[str]:
    """Return a row as texts, in the order of the headings."""
    title = ROWS[summary.row].title if summary.row in ROWS else summary.row
    if not summary.rounds:
        return [title, "not measured", *[""] * (len(HEADINGS) - 3), summary.error or ""]
    doubts = [*summary.flags, *([summary.error] if summary.error else [])]
    return [
        title,
        rate_text(summary.rate),
        f"{rate_text(summary.low)} to {rate_text(summary.high)}",
        _ratio(summary.of_reference),
        "" if summary.of_floor is None else f"{summary.of_floor:.1%}",
        rate_text(summary.per_cpu),
        f"{summary.server_cpu:.0%}",
        f"{summary.client_cpu:.0%}",
        f"{summary.server_peak_mb:.0f}",
        f"{summary.fairness:.2f}",
        "; ".join(doubts),
    ]


def _ratio(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def rate_text(rate: float) -> str:
    """Return a rate with three digits: 287 k, 2.61 M, 19.4 M."""
    value, unit = (rate / 1e6, "M") if rate >= 999_500 else (rate / 1e3, "k")
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"
