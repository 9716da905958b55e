"""
The newest event of every slot, and what it stands for when it replaces earlier ones.

Kept only while somebody is behind or paced. Each event that replaces others is made once in a turn, however many get it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.dialects import Dialect
from feeds.dialects.trades import MergedTrades, TradeRings
from feeds.fanout.depth import Depth
from feeds.fanout.history import History
from ticker.batch import BARS, DEPTH, TRADES, TickBatch

__all__ = ["MOST_BARS", "Newest", "Pieces"]

I64 = NDArray[np.int64]

MOST_BARS = 10
"""Missed bars of one symbol and interval up to which all of them are sent, instead of the newest."""


class Pieces(NamedTuple):
    """What to send for some slots, one entry a slot."""

    fragments: list[bytes]
    replaced: list[int]
    """How many events it replaces."""
    unsure: list[int]
    """Which entries are trades that don't say what they stand for, as too many were missed."""


class Newest:
    """
    The newest events of one hub.

    Args:
        symbols: how many symbols the market has.
        seq: the newest sequence published, by slot; the hub goes on writing it.
        dialect: says in an event how many it replaces.
        history: the hub's; missed bars are taken from it.
        depth: makes books, where there are any.
    """

    def __init__(
        self,
        symbols: int,
        seq: I64,
        dialect: Dialect,
        history: History,
        depth: Depth | None = None,
    ) -> None:
        self.active = False
        """Whether events are kept."""
        self.events: dict[int, bytes] = {}
        """By slot, the newest fragment since :meth:`begin`."""
        self._symbols, self._seq = symbols, seq
        self._dialect, self._history, self._depth = dialect, history, depth
        self._trades: TradeRings | None = None
        self._made: dict[tuple[int, int], tuple[bytes, int, bool]] = {}

    def begin(self) -> None:
        """Keep what is published from now on. May be called again."""
        if self.active:
            return
        self.active = True
        at = TRADES * self._symbols
        self._trades = TradeRings(self._seq[at : at + self._symbols])

    def end(self) -> None:
        """Keep nothing any more, and free the memory."""
        self.active = False
        self.events.clear()
        self._made.clear()
        self._trades = None

    def keep(self, slots: I64, batch: TickBatch, fragments: list[bytes]) -> None:
        """Keep a turn's events. About 60 ns each."""
        self._made.clear()
        self.events.update(zip(slots.tolist(), fragments, strict=True))
        trades = np.flatnonzero(batch.channel == TRADES)
        if self._trades is not None and len(trades):
            columns = (batch.symbol, batch.seq, batch.price, batch.size, batch.ask)
            symbol, seq, price, size, mark = (c[trades].astype(np.int64) for c in columns)
            self._trades.extend(symbol, seq, price, size, mark)

    def pieces(self, slots: I64, counts: I64) -> Pieces:
        """
        Give the newest event of each slot, as one that replaces ``counts - 1`` earlier ones.

        A few missed bars are given one by one instead, where the history has them.
        """
        made, events = self._made, self.events
        self._make(slots, counts)
        fragments, replaced, unsure = [], [], []
        for i, key in enumerate(zip(slots.tolist(), counts.tolist(), strict=True)):
            if key[1] == 1:
                fragments.append(events[key[0]])
                replaced.append(0)
                continue
            fragment, merged, summed = made[key]
            fragments.append(fragment)
            replaced.append(merged)
            if not summed:
                unsure.append(i)
        return Pieces(fragments, replaced, unsure)

    def _make(self, slots: I64, counts: I64) -> None:
        """Make what replaces earlier ones and isn't made yet."""
        several = np.flatnonzero(counts > 1)
        made = self._made
        keys = zip(slots[several].tolist(), counts[several].tolist(), strict=True)
        missing = list(dict.fromkeys(key for key in keys if key not in made))
        first = TRADES * self._symbols
        trades = [key for key in missing if first <= key[0] < first + self._symbols]
        for key, sums in zip(trades, self._sums(trades, first), strict=True):
            slot, count = key
            fragment = self._dialect.with_merged(self.events[slot], count - 1, sums)
            made[key] = fragment, count - 1, sums is not None
        self._make_books([key for key in missing if key[0] >= DEPTH * self._symbols])
        for key in missing:
            if key not in made:
                made[key] = (*self._other(*key), True)

    def _make_books(self, keys: list[tuple[int, int]]) -> None:
        """Make whole books in place of several changes: what was changed before isn't there to be changed further."""
        if self._depth is None or not keys:
            return
        symbols = [slot - DEPTH * self._symbols for slot, _ in keys]
        for (slot, count), book in zip(keys, self._depth.standing(symbols), strict=True):
            fragment = self._dialect.with_merged(book, count - 1)
            self._made[slot, count] = fragment, count - 1, True

    def _sums(self, keys: list[tuple[int, int]], first: int) -> list[MergedTrades | None]:
        if self._trades is None or not keys:
            return [None] * len(keys)
        slots, counts = np.array(keys, dtype=np.int64).T
        return self._trades.sum_up(slots - first, self._seq[slots], counts)

    def _other(self, slot: int, count: int) -> tuple[bytes, int]:
        if slot >= BARS * self._symbols and count <= MOST_BARS and self._history:
            last = int(self._seq[slot])
            bars = self._history.after(slot, last - count, last)
            if bars is not None:
                return b"".join(bars), 0
        return self._dialect.with_merged(self.events[slot], count - 1), count - 1
