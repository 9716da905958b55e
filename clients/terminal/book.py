"""Order books on a terminal: what keeps them, and asks again for one that isn't the server's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import RenderableType

from clients.events import Depth, Event
from clients.failures import BookError
from clients.order_book import OrderBook
from clients.terminal.ladder import across, render
from clients.terminal.table import Table

__all__ = ["Books"]


@dataclass
class Books(Table):
    """The books of some symbols side by side, instead of a table."""

    books: dict[str, OrderBook] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """Symbols whose book isn't the server's, and has to be asked for."""

    async def subscribe(self, symbols: Sequence[str]) -> None:
        """Subscribe to *symbols*, or to as many as fit beside each other."""
        fit = [entry.symbol for entry in self.instruments[: across(self.console.width)]]
        channels = list(dict.fromkeys([*self.channels, "depth"]))
        names = await self.client.subscribe(*(symbols or fit), channels=channels)
        of = {entry.symbol: entry for entry in self.instruments}
        self.board.add(of[name] for name in names)
        self.books = {name: OrderBook(name) for name in names}

    def take(self, events: Sequence[Event]) -> None:
        """Bring some events to the board and to the books."""
        super().take(events)
        for event in events:
            if isinstance(event, Depth):
                self._apply(event)

    def _apply(self, event: Depth) -> None:
        book = self.books[event.symbol]
        if book.seq is None and not event.snapshot:
            return  # of a book that is asked for already
        try:
            book.apply(event)
        except BookError:
            self.broken.add(event.symbol)

    async def mend(self) -> None:
        """Ask for the books that aren't the server's."""
        await super().mend()
        if wrong := sorted(self.broken):
            await self.client.subscribe(*wrong, channels=["depth"])
            self.broken.difference_update(wrong)

    async def read_once(self) -> None:
        """Read until there is a book of each symbol."""
        while any(book.seq is None for book in self.books.values()):
            self.take(await self.client.batch())

    def picture(self, *, ended: bool = False) -> RenderableType:
        """What the books look like now."""
        width, height = self.console.size
        size = {"width": width, "height": height, "total": len(self.instruments)}
        return render(self.board, self.books, time.monotonic(), **size, ended=ended)
