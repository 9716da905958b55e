"""
Depth: the books of one market, as events.

A book is a function of its quote (:mod:`ticker.ladder`), and so is what changes from one quote to the next. So nothing
is computed of a symbol whose books nobody wants, and nothing is kept of any: events are made beside the quotes as they
are published, and a client that comes back gets those that it missed, made from the quotes in the history.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from feeds.dialects.books import books, deltas
from feeds.fanout.history import History
from ticker.batch import DEPTH, QUOTES, DepthTable, TickBatch
from ticker.bookkeeping.daybook import Snapshot
from ticker.ladder import Ladders, changes
from ticker.venue import Venue

__all__ = ["Depth", "DepthHistory", "history_of"]

I64 = NDArray[np.int64]


class Depth:
    """
    The books of one market.

    Args:
        market: whose.
    """

    def __init__(self, market: Venue) -> None:
        self.active = False
        """Whether anybody may want books."""
        self._market, self._universe = market, market.universe
        # Now, and not when it is needed: 0.1 s for 100,000 symbols, in which no turn could be done.
        cents = market.rules == "us"
        self._ladders = Ladders(market.seed, market.universe, market.lots, cents=cents)
        # Sequence, bid, its size, ask, its size: what stood before the first quote that is published, and what stands now.
        self._opening = np.vstack((market.sequences()[QUOTES], market.standing()))
        self._standing = self._opening
        self._time = np.empty(0, dtype=np.int64)

    def align(self, seq: I64) -> None:
        """Let the sequences of books be those of their quotes, in a row with one for each slot, whether they were published or not."""
        size = len(self._universe)
        seq[DEPTH * size :] = seq[QUOTES * size : (QUOTES + 1) * size]

    def begin(self, seq: I64) -> None:
        """
        Follow the quotes that are published from now on. Must be called again for each subscription.

        Args:
            seq: the newest sequence published, by slot.
        """
        self.align(seq)
        if not self.active:
            self.active = True
            market = self._market
            self._standing = np.vstack((market.sequences()[QUOTES], market.standing()))
            self._time = np.full(len(self._universe), market.now_us)

    def lay_in(self, batch: TickBatch, wanted: NDArray[np.int32]) -> TickBatch:
        """
        Put behind each quote an event of its book, for the symbols that are wanted; without any, stop following.

        Cost: about 8 us a book where there are some dozens, 0.3 ms where there is one.
        """
        if not wanted.any():
            self.active = False
            return batch
        quotes = np.flatnonzero(batch.channel == QUOTES)
        symbol = batch.symbol[quotes]
        told = batch.seq, batch.price, batch.size, batch.ask, batch.ask_size
        columns, time = np.stack([column[quotes] for column in told]), batch.time[quotes]
        wanting = np.flatnonzero(wanted[symbol])
        if len(wanting):
            table, places = self._table(symbol[wanting], columns[:, wanting])
            batch = _with_books(batch, quotes[wanting], table, places)
        self._standing[:, symbol] = columns  # where a symbol repeats, the last one stays
        self._time[symbol] = time
        return batch

    def _table(self, symbol: NDArray[np.int32], quotes: I64) -> tuple[DepthTable, NDArray[np.intp]]:
        """Make the books of some quotes, in the order of symbols; gives the place of each quote's in it."""
        order = np.argsort(symbol, kind="stable")
        symbol, quotes = symbol[order], quotes[:, order]
        first = np.diff(symbol, prepend=-1) > 0
        before = symbol[first]
        all_quotes = np.hstack((self._standing[:, before], quotes))
        ladder = self._ladders.at(np.concatenate((before, symbol)), *all_quotes)
        previous = np.where(first, np.cumsum(first) - 1, np.arange(len(symbol)) + (len(before) - 1))
        made = ladder[len(before) :]
        places = np.empty(len(order), dtype=np.intp)
        places[order] = np.arange(len(order))
        return DepthTable(made, changes(ladder[previous], made)), places

    def standing(self, symbols: Sequence[int]) -> list[bytes]:
        """Encode the books at the newest quotes published, as fragments; of symbols that are followed."""
        quotes = self._standing[:, symbols]
        ladder = self._ladders.at(np.array(symbols), *quotes)
        made = books(self._universe, symbols, quotes[0], self._time[symbols], ladder)
        return [book + b"," for book in made]

    def snapshots(self, states: Sequence[Snapshot]) -> list[bytes]:
        """Encode the books of some states of the market now, as objects."""
        symbols = [state.symbol for state in states]
        rows = [(s.bid or 0, s.bid_size or 0, s.ask or 0, s.ask_size or 0) for s in states]
        seq = self._market.sequences()[QUOTES, symbols]
        quotes = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        ladder = self._ladders.at(np.array(symbols, dtype=np.intp), seq, *quotes)
        times = np.array([state.time_us for state in states], dtype=np.int64)
        return books(self._universe, symbols, seq, times, ladder)

    def retold(self, symbol: int, quotes: Sequence[bytes]) -> list[bytes] | None:
        """
        Encode anew what changed at some encoded quotes that follow on each other, as fragments: all but for the first, unless
        it is the first of all. None where they aren't what the market quoted.
        """
        if any(type(quote) is not bytes for quote in quotes):
            return None
        rows = [orjson.loads(quote[:-1]) for quote in quotes]
        time_us = [round(row["time"] * 1000) for row in rows]
        every = self._quotes(symbol, rows)
        opening = self._opening[:, symbol]
        if rows and rows[0]["seq"] == opening[0] + 1:
            every = np.column_stack((opening, every))
        else:
            time_us = time_us[1:]
        ids = np.full(every.shape[1], symbol, dtype=np.int32)
        ladder = self._ladders.at(ids, *every)
        table = DepthTable(ladder[1:], changes(ladder[:-1], ladder[1:]))
        events = _events(ids[1:], every[0, 1:], np.array(time_us, dtype=np.int64), table)
        return deltas(self._universe, events, np.arange(len(events)))

    def _quotes(self, symbol: int, rows: Sequence[dict[str, Any]]) -> I64:
        """Give sequence, bid, its size, ask and its size of some quotes as they were told."""
        universe = self._universe
        up, down = universe.tick_numerator[symbol], universe.tick_denominator[symbol]
        names = ("seq", "bid", "bid_size", "ask", "ask_size")
        told = np.array([[row[name] for row in rows] for name in names])
        told[1::2] *= down / up
        exact: I64 = np.rint(told).astype(np.int64)
        return exact


def history_of(symbols: int, budget_bytes: int, depth: Depth | None) -> History:
    """Give a history for so many symbols, of a market with books or without."""
    if depth is None:
        return History(symbols, budget_bytes)
    return DepthHistory(symbols, budget_bytes, depth)


class DepthHistory(History):
    """
    A history that knows of books what its quotes tell, and keeps none.

    Args:
        symbols: how many symbols the market has.
        budget_bytes: as for any history.
        depth: makes the books.
    """

    def __init__(self, symbols: int, budget_bytes: int, depth: Depth) -> None:
        super().__init__(symbols, budget_bytes)
        self._symbols, self._depth = symbols, depth

    def extend(self, slots: Iterable[int], fragments: Iterable[bytes]) -> None:
        if self._depth.active:
            slots, first = list(slots), DEPTH * self._symbols
            kept = [slot < first for slot in slots]
            slots, fragments = compress(slots, kept), compress(fragments, kept)
        super().extend(slots, fragments)

    def after(self, slot: int, since: int, newest: int) -> list[bytes] | None:
        symbol, quotes = self._of_books(slot)
        if symbol is None:
            return super().after(slot, since, newest)
        if since == newest:
            return []
        # The book before the first change is that of the quote before.
        found = super().after(quotes, since - 1, newest) or super().after(quotes, since, newest)
        told = None if found is None else self._depth.retold(symbol, found)
        missed = newest - since
        return told[-missed:] if told is not None and len(told) >= missed else None

    def last(self, slot: int, count: int) -> list[bytes]:
        symbol, quotes = self._of_books(slot)
        if symbol is None:
            return super().last(slot, count)
        found = super().last(quotes, count + 1)
        return (self._depth.retold(symbol, found) or [])[-count:]

    def split(self, slot: int, has: Callable[[bytes], bool]) -> tuple[int, int]:
        return super().split(self._of_books(slot)[1], has)

    def _of_books(self, slot: int) -> tuple[int | None, int]:
        """Give a slot's symbol, if it is one of books, and the slot whose events tell of it."""
        symbol = slot - DEPTH * self._symbols
        return (None, slot) if symbol < 0 else (symbol, QUOTES * self._symbols + symbol)


def _with_books(
    batch: TickBatch, rows: NDArray[np.intp], table: DepthTable, places: NDArray[np.intp]
) -> TickBatch:
    """Give a batch with an event of the table behind each of some rows."""
    twice = np.zeros(len(batch), dtype=np.intp)
    twice[rows] = 1
    wider = batch[np.repeat(np.arange(len(batch)), twice + 1)]
    at = rows + np.arange(1, len(rows) + 1)
    wider.channel[at], wider.price[at] = DEPTH, places
    wider.size[at] = wider.ask[at] = wider.ask_size[at] = 0
    wider.depth = table
    return wider


def _events(symbol: NDArray[np.int32], seq: I64, time_us: I64, table: DepthTable) -> TickBatch:
    """Give a table's books as events."""
    nothing = np.zeros(len(seq), dtype=np.int64)
    channel = np.full(len(seq), DEPTH, dtype=np.uint8)
    place = np.arange(len(seq))
    batch = TickBatch(symbol, channel, seq, time_us, place, nothing, nothing, nothing)
    batch.depth = table
    return batch
