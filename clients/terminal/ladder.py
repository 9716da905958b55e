"""How order books look in the terminal: a ladder each, side by side. Turns books into something that rich can print."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from rich.console import Group, RenderableType
from rich.text import Text

from clients.events import Level
from clients.order_book import OrderBook
from clients.terminal.board import Board, Row
from clients.terminal.view import (
    DOWN,
    FLAT,
    UP,
    last_cell,
    percent_cell,
    price_text,
    state_line,
    symbol_cell,
    title_line,
)

__all__ = ["across", "levels_in", "render"]

LEAST, MOST = 32, 46
"""Characters of a ladder."""
GUTTER = 4
"""Characters between two ladders."""
FRAME_LINES = 6
"""The lines around the levels: title, blank line, symbol, header, spread, status."""
MOST_LEVELS = 20
ASK_BARS = ("grey93 on #5f1f1f", "grey93 on #3a1a1a")
BID_BARS = ("grey93 on #14532d", "grey93 on #12321f")
"""Grounds of a size, and of the total from the spread on."""


def across(width: int) -> int:
    """Return how many ladders fit beside each other into *width* characters."""
    return max(1, (width + GUTTER) // (LEAST + GUTTER))


def levels_in(height: int) -> int:
    """Return how many levels a side fit into *height* lines."""
    return min(MOST_LEVELS, max(1, (height - FRAME_LINES) // 2))


def render(
    board: Board,
    books: Mapping[str, OrderBook],
    now: float,
    *,
    width: int,
    height: int,
    total: int,
    ended: bool = False,
) -> RenderableType:
    """
    Draw *books* into *width* x *height* characters, as many as fit beside each other.

    Such that have *ended* take as many lines as they need, and all of them are drawn.
    """
    rows = list(board.rows.values())
    most = across(width)
    shown = rows if ended else rows[:most]
    deepest = max((len(side) for b in books.values() for side in (b.bids, b.asks)), default=0)
    levels = max(1, deepest) if ended else levels_in(height)
    each = min(MOST, (width + GUTTER) // max(1, min(most, len(shown))) - GUTTER)
    lines: list[Text] = []
    for start in range(0, len(shown), most):
        some = shown[start : start + most]
        ladders = [_ladder(row, books[row.symbol], each, levels, now) for row in some]
        lines += [
            Text(),
            *(Text(" " * GUTTER).join(beside) for beside in zip(*ladders, strict=True)),
        ]
    head = title_line(board, len(shown), total)
    if ended:
        return Group(head, *lines)
    empty = [Text()] * max(0, height - 2 - len(lines))
    return Group(head, *lines, *empty, state_line(board))


def _ladder(row: Row, book: OrderBook, width: int, levels: int, now: float) -> list[Text]:
    """Draw one book: its symbol, asks, the spread, bids; all lines are *width* characters."""
    sides = [book.asks[:levels], book.bids[:levels]]
    sums = [list(accumulate(size for _, size in side)) for side in sides]
    most = max(max(sums[0], default=1), max(sums[1], default=1))
    largest = max([1, *(size for side in sides for _, size in side)])
    styles = [(DOWN, *ASK_BARS), (UP, *BID_BARS)]
    above, below = (
        [
            _level(row, level, total, (level[1] / largest / 2, total / most), style, width)
            for level, total in zip(side, totals, strict=True)
        ]
        + [Text(" " * width)] * (levels - len(side))
        for side, totals, style in zip(sides, sums, styles, strict=True)
    )
    header = Text(_columns("price", "size", "total", width), FLAT)
    return [_head(row, width, now), header, *above[::-1], _spread(row, sides, width), *below]


def _columns(price: str, size: str, total: str, width: int) -> str:
    third = width // 3
    return f"{price:<{width - 2 * third}}{size:>{third}}{total:>{third - 1}} "


def _shares(count: int, width: int) -> str:
    text = f"{count:,}"
    return text if len(text) < width // 3 else f"{count / 1e6:,.0f}M"


def _level(
    row: Row,
    level: Level,
    total: int,
    shares: tuple[float, float],
    style: tuple[str, str, str],
    width: int,
) -> Text:
    """Draw a price, its size, and the total from the spread on, each over a bar from the right edge on."""
    price, size = price_text(level[0], row), level[1]
    text = Text(_columns(price, _shares(size, width), _shares(total, width), width))
    tone, strong, faint = style
    own, all_of_it = (width - round(share * width) for share in shares)
    text.stylize(faint, all_of_it)
    text.stylize(strong, own)
    text.stylize(tone, 0, len(price))
    text.stylize("grey70", width - width // 3)
    return text


def _head(row: Row, width: int, now: float) -> Text:
    gap = "  "
    text = Text.assemble(
        symbol_cell(row, now), gap, last_cell(row, now), gap, percent_cell(row, now)
    )
    text.truncate(width, pad=True)
    return text


def _spread(row: Row, sides: list[list[Level]], width: int) -> Text:
    asks, bids = sides
    spread, points = "-", ""
    if asks and bids:
        ask, bid = asks[0][0], bids[0][0]
        spread, points = price_text(ask - bid, row), f"{20_000 * (ask - bid) / (ask + bid):.1f} bp"
    return Text(_columns("spread", spread, points, width), FLAT)
