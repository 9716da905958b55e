"""A symbol's book, put together from the events of the channel `depth`, and checked. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from clients.events import Depth, Level
from clients.failures import BookError

__all__ = ["OrderBook"]


class OrderBook:
    """The book of one symbol. It is empty until `apply` was given a snapshot.

    Levels are kept by their price in ticks, a whole number, because that is what the checksum is of,
    and because two floats of one price may differ.
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.seq: int | None = None
        """That of the newest event applied; None until there was one, and after a failure."""
        self.time = 0.0
        self._tick_size = 0.0
        self._bids: dict[int, Level] = {}
        self._asks: dict[int, Level] = {}

    def __repr__(self) -> str:
        best = [side[0] if side else None for side in (self.bids, self.asks)]
        return f"<OrderBook {self.symbol}, seq {self.seq}, {best[0]} {best[1]}>"

    @property
    def bids(self) -> list[Level]:
        """Prices and shares, the highest price first."""
        return [self._bids[tick] for tick in sorted(self._bids, reverse=True)]

    @property
    def asks(self) -> list[Level]:
        """Prices and shares, the lowest price first."""
        return [self._asks[tick] for tick in sorted(self._asks)]

    def apply(self, event: Depth) -> None:
        """Take the next event of the symbol; what is of another symbol is a ValueError.

        BookError: it doesn't follow on the one before, or the book isn't what the server's is. Then
        the book is empty, until a snapshot comes.
        """
        if event.symbol != self.symbol:
            raise ValueError(f"an event of {event.symbol!r} for the book of {self.symbol!r}")
        if event.snapshot:
            self._bids.clear()
            self._asks.clear()
            self._tick_size = event.tick_size or 0.0
        elif self.seq is None or event.seq != self.seq + 1:
            raise self._failure(f"event {event.seq} doesn't follow on {self.seq}")
        self._change(self._bids, event.bids)
        self._change(self._asks, event.asks)
        checksum = self.checksum()
        if checksum != event.checksum:
            text = f"the checksum at event {event.seq} is {checksum}, not {event.checksum}"
            raise self._failure(text)
        self.seq, self.time = event.seq, event.time

    def _failure(self, text: str) -> BookError:
        self.seq = None
        self._bids.clear()
        self._asks.clear()
        return BookError(f"{self.symbol}: {text}")

    def _change(self, side: dict[int, Level], levels: Iterable[Level]) -> None:
        for level in levels:
            tick = round(level[0] / self._tick_size)
            if level[1]:
                side[tick] = level
            else:
                side.pop(tick, None)

    def checksum(self) -> int:
        """CRC-32 of ticks and shares, bids and then asks, the best first, with commas between."""
        bids = [(tick, self._bids[tick][1]) for tick in sorted(self._bids, reverse=True)]
        asks = [(tick, self._asks[tick][1]) for tick in sorted(self._asks)]
        return crc32(",".join(f"{tick},{size}" for tick, size in bids + asks).encode())
