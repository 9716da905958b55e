"""What a client does with books, for tests: one `OrderBook` a symbol, checked against the quotes that come beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from clients.core.decode import BUILDERS
from clients.events import Depth
from clients.order_book import OrderBook

__all__ = ["OrderBooks"]


class OrderBooks:
    """
    The books of one connection. Give it all objects in order, with `feed`.

    Each checksum must be right, each change must follow on, and where the quote of a book came, it is the best level, and of
    the same time.
    """

    def __init__(self) -> None:
        self.books: dict[str, OrderBook] = {}
        self.quotes: dict[str, dict[str, Any]] = {}
        self.kinds: Counter[str] = Counter()
        """How many ``snapshot``, ``change`` and ``merged`` there were."""
        self.checked = 0
        """How many books were compared with their quote."""

    def feed(self, items: Iterable[dict[str, Any]]) -> None:
        for item in items:
            if item["type"] == "quote":
                self.quotes[item["symbol"]] = item
            elif item["type"] == "depth":
                self._take(item)

    def _take(self, item: dict[str, Any]) -> None:
        event = BUILDERS["depth"](item)
        assert isinstance(event, Depth)
        kind = "merged" if event.merged else "snapshot" if event.snapshot else "change"
        assert event.snapshot or not event.merged, "a change in place of several can't be applied"
        self.kinds[kind] += 1
        book = self.books.setdefault(event.symbol, OrderBook(event.symbol))
        if event.merged:
            assert book.seq is not None
            assert event.seq == book.seq + 1 + event.merged
        book.apply(event)
        quote = self.quotes.get(event.symbol)
        if quote is not None and quote["seq"] == event.seq:
            self.checked += 1
            assert book.bids[0] == (quote["bid"], quote["bid_size"])
            assert book.asks[0] == (quote["ask"], quote["ask_size"])
            assert kind == "snapshot" or item["time"] == quote["time"]
