"""How the terminal table looks. Turns a board into something that rich can print."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from clients.terminal.board import POINT_S, POINTS, Board, Row, sparkline

__all__ = [
    "DOWN",
    "FLAT",
    "UP",
    "capacity",
    "last_cell",
    "percent_cell",
    "price_text",
    "render",
    "session_text",
    "state_line",
    "symbol_cell",
    "title_line",
]

UP, DOWN, FLAT = "green3", "red1", "grey62"
GUTTER = 2
"""Characters between two columns."""
SHORTEST_LINE = 8
"""Characters; a shorter sparkline would say nothing."""
_LONGEST_MIN = 5 * 1_440
"""Longer than any weekend; what is further away is on another clock than ours."""
FRAME_LINES = 5
"""The lines around the rows: title, blank line, header, rule, status."""


Cell = Callable[[Row, float], Text]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column, and in which order columns give way when the terminal is narrow: highest first."""

    title: str
    cell: Cell
    least: int
    """Characters; a little more than is needed, so that the table doesn't jump at 99.99."""
    rank: int


def price_text(value: float | None, row: Row) -> str:
    """A price with the decimals of its symbol."""
    return "-" if value is None else f"{value:,.{row.decimals}f}"


def symbol_cell(row: Row, now: float) -> Text:
    """The symbol, and its status where it isn't simply trading."""
    if row.status == "trading":
        return Text(row.symbol, "bold")
    return Text.assemble((row.symbol, "bold"), " ", (row.status, "black on yellow"))


def last_cell(row: Row, now: float) -> Text:
    """The last price, on a ground of its own while its change is fresh."""
    styles = {1: f"bold black on {UP}", -1: f"bold white on {DOWN}", 0: "bold"}
    return Text(price_text(row.last, row), styles[row.flash(now)])


def _tone(change: float | None) -> str:
    return UP if change and change > 0 else DOWN if change and change < 0 else FLAT


def _change(row: Row, now: float) -> Text:
    change = row.change
    text = "-" if change is None else f"{change:+,.{row.decimals}f}"
    return Text(text, _tone(change))


def percent_cell(row: Row, now: float) -> Text:
    """How far the price is from the previous close, in per cent."""
    percent = row.percent
    arrow = "▲" if percent and percent > 0 else "▼" if percent and percent < 0 else " "
    text = "-" if percent is None else f"{arrow} {abs(percent):.2f} %"
    return Text(text, _tone(percent))


def _volume(row: Row, now: float) -> Text:
    return Text(f"{row.volume:,}", "grey70")


def _line(width: int) -> Cell:
    def cell(row: Row, now: float) -> Text:
        shown = list(row.points)[-width:]
        rise = shown[-1] - shown[0] if shown else 0
        return Text(sparkline(shown, width), _tone(rise))

    return cell


_COLUMNS = [
    _Column("symbol", symbol_cell, 6, 0),
    _Column("last", last_cell, 8, 0),
    _Column("change", _change, 8, 2),
    _Column("change %", percent_cell, 9, 1),
    _Column("bid", lambda row, now: Text(price_text(row.bid, row), "grey82"), 8, 3),
    _Column("ask", lambda row, now: Text(price_text(row.ask, row), "grey82"), 8, 3),
    _Column("volume", _volume, 10, 4),
]


def _layout(rows: list[Row], now: float, width: int) -> list[tuple[str, int, list[Text]]]:
    """Choose the columns that fit into *width* characters: their titles, widths and cells."""
    chosen = []
    for column in _COLUMNS:
        cells = [column.cell(row, now) for row in rows]
        needed = max([column.least, *map(len, cells)])
        chosen.append((column.rank, (column.title, needed, cells)))
    left = width + GUTTER - sum(needed + GUTTER for _, (_, needed, _) in chosen)
    for rank in (4, 3, 2, 1):
        if left < 0:
            left += sum(needed + GUTTER for each, (_, needed, _) in chosen if each == rank)
            chosen = [entry for entry in chosen if entry[0] != rank]
    layout = [entry for _, entry in chosen]
    if (length := min(left - GUTTER, POINTS)) >= SHORTEST_LINE:
        draw = _line(length)
        span = f"{length * POINT_S:g} s"
        title = f"trend {span}" if length > len(f"trend {span}") else span
        layout.append((title, length, [draw(row, now) for row in rows]))
    return layout


def capacity(height: int) -> int:
    """Return how many symbols fit into a terminal of *height* lines."""
    return max(1, height - FRAME_LINES)


def title_line(board: Board, shown: int, total: int) -> Text:
    """How much is shown, and of which market."""
    text = Text(overflow="ellipsis", no_wrap=True)
    text.append("tickerplant", "bold").append(f"  {shown} of {total:,} symbols")
    if (hello := board.hello) is not None:
        kind = "synthetic market" if hello.synthetic else "market"
        text.append(f"  {kind} {hello.epoch}, seed {hello.seed}", "grey62")
    if board.opens is not None:
        text.append(f"  {session_text(*board.opens, board.wall_ms)}", "yellow")
    return text


def session_text(status: str, opens: float, wall_ms: float) -> str:
    """Which session it is, and when the regular one begins: in New York's time, and in how long, if it runs on the wall clock."""
    when = datetime.fromtimestamp(opens / 1000, _new_york())
    text = f"{status.replace('_', '-')}, opens {when:%a %H:%M %Z}"
    minutes = math.ceil((opens - wall_ms) / 60_000)
    if not 0 < minutes <= _LONGEST_MIN:
        return text
    hours, rest = divmod(minutes, 60)
    return f"{text}, in {hours} h {rest} min" if hours else f"{text}, in {rest} min"


def _new_york() -> tzinfo:
    try:
        return ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError:  # as on Windows, without the package tzdata
        return UTC


def state_line(board: Board) -> Text:
    """What is to be said of the connection."""
    tone = UP if board.state == "connected" else DOWN
    latency = "n/a" if board.latency_ms is None else f"{board.latency_ms:,.1f} ms"
    text = Text(overflow="ellipsis", no_wrap=True)
    text.append("● ", tone).append(board.state, "" if tone == UP else tone)
    text.append(f"   {board.rate:,.0f} events/s   latency {latency}", "grey70")
    text.append(f"   {board.reconnects} reconnects", "grey70")
    if board.missing or board.merged:
        text.append(f"   {board.missing:,} missing, {board.merged:,} merged", "yellow")
    return text.append(f"   {board.trouble or 'Ctrl-C quits'}", "grey50")


def render(
    board: Board,
    now: float,
    *,
    width: int,
    height: int,
    total: int | None = None,
    ended: bool = False,
) -> RenderableType:
    """
    Draw *board* into *width* x *height* characters; *total* symbols exist (default: the rows).

    One that has *ended* takes no more lines than it needs, and says nothing of the connection.
    """
    rows = list(board.rows.values())[: capacity(height)]
    layout = _layout(rows, now, width)
    table = Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, GUTTER - 1, 0, 0),  # the box adds one
        pad_edge=False,
        header_style="grey62",
    )
    for title, needed, _ in layout:
        table.add_column(title, width=needed, justify="right", no_wrap=True)
    table.columns[0].justify = "left"
    for cells in zip(*[cells for _, _, cells in layout], strict=True):
        table.add_row(*cells)
    head = title_line(board, len(rows), len(board.rows) if total is None else total)
    if ended:
        return Group(head, Text(), table)
    empty = [Text()] * (capacity(height) - len(rows))
    return Group(head, Text(), table, *empty, state_line(board))
