"""A reader of trades, quotes and books beside each other, which knows PROTOCOL.md and nothing of the code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from order_books import OrderBooks

__all__ = ["TouchReader"]

BLOCK_LOTS = 20
CROSSES = {"O", "5", "6"}  # conditions of the prints of auctions

Event = dict[str, Any]


class TouchReader:
    """
    Give it all objects of a connection in order, with `feed`: it asserts that trades and books fit.

    Each symbol's first object is a whole book. Nothing may be scripted.
    """

    def __init__(self, lots: dict[str, int]) -> None:
        self.books = OrderBooks()
        self.seen: Counter[str] = Counter()
        """How many trades left something at the best price, took the last of it, were ``inside``, or a ``block``."""
        self._lots = lots
        self._limited: dict[str, bool] = {}
        self._due: dict[str, tuple[Event, list[tuple[float, int]]]] = {}
        """By symbol, the trade whose quote must come next, and the best bid and ask that it should say."""

    def feed(self, items: Iterable[Event]) -> None:
        for item in items:
            if item["type"] == "trade":
                self._trade(item)
            elif item["type"] == "quote":
                self._quote(item)
            elif item["type"] == "status":
                assert item["symbol"] not in self._due
                self._limited[item["symbol"]] = item["status"] == "limit_state"
            self.books.feed([item])

    def _trade(self, trade: Event) -> None:
        symbol, price, size = (trade[name] for name in ("symbol", "price", "size"))
        assert symbol not in self._due, "a trade, and no quote behind it"
        if CROSSES & set(trade.get("conditions", ())):
            return
        book, lot = self.books.books[symbol], self._lots[symbol]
        sides = [list(book.bids), list(book.asks)]
        assert sides[0][0][0] <= price <= sides[1][0][0], "outside of the book"
        best = [side[0] for side in sides]
        if size >= BLOCK_LOTS * lot:
            self.seen["block"] += 1
            if size == 200 * lot:
                return  # the print with which a scenario opens
        elif price not in (best[0][0], best[1][0]):
            self.seen["inside"] += 1
        else:
            side = 0 if price == best[0][0] else 1
            shown = best[side][1]
            assert size <= shown, "more than is shown"
            left = (shown - size) // lot * lot
            best[side] = (price, left) if left else (sides[side][1][0], 0)
            self.seen["left" if left else "gone"] += 1
        self._due[symbol] = trade, best

    def _quote(self, quote: Event) -> None:
        due = self._due.pop(quote["symbol"], None)
        if due is None:
            return
        trade, best = due
        assert quote["time"] == trade["time"]
        told = [(quote["bid"], quote["bid_size"]), (quote["ask"], quote["ask_size"])]
        if self._limited.get(quote["symbol"]):
            self.seen["limited"] += 1
            return
        for (price, size), (expected, left) in zip(told, best, strict=True):
            assert price == expected
            assert size == left or not left
