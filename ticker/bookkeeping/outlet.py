"""
The outlet: hands out trades and quotes by time, adds the bars that they make, and keeps records.

What is handed out depends on time alone, never on how the blocks were cut or on the step length: stream equals batch,
byte for byte. The records (last prices, day statistics, bars) lag behind and are brought up to date when somebody
looks, at each full second, and before a block is dropped; so a step of a single event costs microseconds.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from ticker.batch import DEPTH, BarTable, TickBatch
from ticker.bookkeeping.books import Books
from ticker.bookkeeping.daybook import DayBook, Snapshot
from ticker.generator.source import Block
from ticker.universe import Universe

__all__ = ["Outlet"]

_SECOND_US = 1_000_000
_AHEAD = 64  # events to look at


class Outlet(ABC):
    """
    Gives the events of blocks that somebody makes, when their time has come.

    Args:
        universe: what is traded.
        start_us: Unix time of the start, in microseconds; whole seconds.
        book: the state of all symbols at the start.

    Raises:
        ValueError: the start is no whole second.
    """

    def __init__(self, universe: Universe, start_us: int, book: DayBook) -> None:
        if start_us % _SECOND_US:
            raise ValueError(f"start {start_us!r} is not a whole second")
        self.universe = universe
        self.now_us = start_us
        """Its time: everything before it has been handed out."""
        self.lots: NDArray[np.int64] = universe.column("round_lot").astype(np.int64)
        """How many shares the orders of a book are multiples of, by symbol."""
        self._block = Block(TickBatch.empty(), start_us)
        # Rows of the block that were handed out, and that are in the books.
        self._at = self._booked = 0
        self._next_second = start_us + _SECOND_US
        self._books = Books(len(universe), book)

    rules = "open"
    """The rules that it has: none."""

    @abstractmethod
    def _next_block(self) -> Block:
        """Make the next block."""

    def _refresh(self) -> None:  # noqa: B027  most have nothing to do
        """Bring the rest of the block up to date with what was scheduled."""

    def step(self, until_us: int, limit: int | None = None) -> TickBatch:
        """
        Move the time on and give the events from the old time, included, to the new one, excluded.

        Bars are given as soon as their interval is over: those that end at the new time too.

        Args:
            until_us: the new time, Unix time in microseconds; a time that has passed gives no events.
            limit: stop after this many events; ``now_us`` tells where. Events of the same microsecond, and bars that
                close together, are given together, even past the limit.
        """
        parts: list[TickBatch] = []
        given = 0
        while self.now_us < until_us:
            room = None if limit is None else limit - given
            if room is not None and room <= 0:
                break
            if self._next_second < until_us:
                self._pass_over(until_us)
            edge = min(until_us, self._next_second)
            part = self._release(edge, room)
            if len(part):
                parts.append(part)
                given += len(part)
            if self.now_us == self._next_second:
                bars = self._close_second()
                if len(bars):
                    parts.append(bars)
                    given += len(bars)
        return TickBatch.join(parts)

    def next_us(self, wanted: NDArray[np.int32]) -> int:
        """
        Give a time before which it gives nothing that is wanted, as far as it knows: mostly that of the next such event.

        It looks some events ahead, and never past the block or the second. What is scheduled later may come before.

        Args:
            wanted: not 0 for what is, by channel number and symbol id: one row after the other. A book changes with its quote.
        """
        self._refresh()
        rows = self._block.batch[self._at : self._at + _AHEAD]
        found = min(self._block.end_us, self._next_second)
        if not len(rows):
            return found
        symbols = np.int64(len(self.universe))
        hits = wanted[rows.channel * symbols + rows.symbol] | wanted[DEPTH * symbols + rows.symbol]
        first = int((hits > 0).argmax())
        if hits[first] or self._at + len(rows) < len(self._block.batch):
            found = min(found, int(rows.time[first if hits[first] else -1]))
        return found

    def snapshot(self, symbol: int) -> Snapshot:
        """Give the state of one symbol now."""
        self._bring_up_to_date()
        return self._books.day.snapshot(symbol)

    def standing(self) -> NDArray[np.int64]:
        """Give all standing quotes: bids, their sizes, asks, and theirs, shape (4, symbols); 0 where there was none yet."""
        self._bring_up_to_date()
        return self._books.day.standing()

    def sequences(self) -> NDArray[np.int64]:
        """
        Give the last sequence handed out, by channel number and symbol id: shape (channels, symbols).

        A read-only view, which later steps change.
        """
        self._bring_up_to_date()
        view = self._books.seq.view()
        view.flags.writeable = False
        return view

    def bars(self, symbol: int, interval: str, limit: int) -> tuple[BarTable, bool]:
        """
        Give the newest bars of a symbol, oldest first, at most ``limit``, which is at least 1.

        Returns:
            The bars, and whether the last of them is of an interval that is still under way.
        """
        self._bring_up_to_date()
        bars, partial, _ = self._books.newest(symbol, interval, limit, self.now_us)
        return bars, partial

    def recent(self, _symbol: int) -> TickBatch:
        """
        Give the trades and quotes of a symbol from just before the start; none, where there was nothing.

        Their sequences end with 0, so that the first event handed out follows on.
        """
        return TickBatch.empty()

    def _release(self, edge: int, room: int | None) -> TickBatch:
        """Hand out rows of the block up to ``edge``, and move the time."""
        self._refresh()
        if self._at == len(self._block.batch) and self.now_us >= self._block.end_us:
            self._bring_up_to_date()
            self._block = self._next_block()
            self._at = self._booked = 0
        batch = self._block.batch
        end = int(np.searchsorted(batch.time, edge))
        reached = min(edge, self._block.end_us)
        if room is not None and end - self._at > room:
            last = batch.time[self._at + room - 1]  # what is of the same time stays together
            cut = int(np.searchsorted(batch.time, last, "right"))
            if cut < end:
                end, reached = cut, int(batch.time[cut])
        part = batch[self._at : end]
        self._at = end
        self.now_us = reached
        return part

    def _pass_over(self, until_us: int) -> None:
        """Pass over the seconds in which nothing happens and nothing ends: a night costs no more than a second."""
        self._refresh()
        if self._at < len(self._block.batch):
            return
        self._bring_up_to_date()
        end = self._books.next_end(self._next_second // _SECOND_US) * _SECOND_US
        end = min(end, until_us, self._block.end_us) // _SECOND_US * _SECOND_US
        self._next_second = max(self._next_second, end)

    def _bring_up_to_date(self) -> None:
        """Enter what was handed out into the books. Linear in those events."""
        if self._booked == self._at:
            return
        rows = self._block.batch[self._booked : self._at]
        self._booked = self._at
        self._enter(rows)

    def _enter(self, rows: TickBatch) -> None:
        self._books.enter(rows)

    def _close_second(self) -> TickBatch:
        """Close the bars, and the day, that end now."""
        self._bring_up_to_date()
        second = self._next_second // _SECOND_US
        self._next_second += _SECOND_US
        return self._books.close(second)
