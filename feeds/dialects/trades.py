"""
Recent trades, kept while somebody may need several of them merged into one: their shares and their extremes.

There is one ring for each symbol, in one table. A trade's place is its sequence modulo the length, so keeping a turn's
trades is three assignments, nothing is ever moved or trimmed, and the trades between two sequences are easy to find.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.reference.marks import Moves, moves

__all__ = ["MergedTrades", "TradeRings"]

I64 = NDArray[np.int64]

_BUDGET_BYTES = 32_000_000
_MOST_TRADES = 1_024
_FEWEST_TRADES = 16


class MergedTrades(NamedTuple):
    """Several trades of one symbol in a row, the newest included; prices in ticks."""

    symbol: int
    """Symbol id."""
    volume: int
    """Shares."""
    open: int | None
    """None, as ``high`` and ``low``, where none of them moves it."""
    high: int | None
    low: int | None
    close: int | None = None
    """Where they aren't all: the last price that one of them moves; None: none does, or all move everything."""
    all: bool = True
    """Whether all of them move everything: then the newest one's price is the close."""


class TradeRings:
    """
    The newest trades of each symbol.

    Memory: 16 bytes a trade, at most 1,024 of each symbol, and about 32 MB in all; touched only where there are trades.
    Half as much again once there was a trade with a mark.

    Args:
        seq: the newest sequence of each symbol's trades at the start: what comes after it is kept.
    """

    def __init__(self, seq: I64) -> None:
        symbols = len(seq)
        fitting = _BUDGET_BYTES // (16 * symbols)
        self.length = max(_FEWEST_TRADES, min(_MOST_TRADES, fitting))
        """How many trades of each symbol are kept."""
        self._begun = seq.copy()
        self._price = np.zeros(symbols * self.length, dtype=np.int64)
        self._size = np.zeros(symbols * self.length, dtype=np.int64)
        self._mark: I64 | None = None

    def extend(self, symbol: I64, seq: I64, price: I64, size: I64, mark: I64 | None = None) -> None:
        """Keep trades, in order; ``mark``: their marks (:mod:`ticker.reference.marks`), None: all 0."""
        at = symbol * self.length + seq % self.length
        self._price[at] = price  # where a place repeats, the last assignment stays
        self._size[at] = size
        if mark is not None and self._mark is None and mark.any():
            self._mark = np.zeros(len(self._price), dtype=np.int64)
        if self._mark is not None:
            self._mark[at] = 0 if mark is None else mark

    def sum_up(self, symbols: I64, last: I64, counts: I64) -> list[MergedTrades | None]:
        """
        Give the sum of some trades; None if one of them is no longer kept.

        Linear in trades, about 10 ns each.

        Args:
            symbols: of which symbol.
            last: the sequence of the last one.
            counts: how many, up to and with the last one.
        """
        kept = (counts <= self.length) & (last - counts >= self._begun[symbols])
        sums: list[MergedTrades | None] = [None] * len(symbols)
        if not kept.any():
            return sums
        symbols, last, counts = symbols[kept], last[kept], counts[kept]
        ends = np.cumsum(counts)
        starts = ends - counts
        # The sequences of all of them, one after the other: each row's first one, and on by 1.
        seq = np.repeat(last - counts + 1 - starts, counts) + np.arange(ends[-1])
        at = np.repeat(symbols * self.length, counts) + seq % self.length
        price = self._price[at]
        columns = (
            symbols,
            np.add.reduceat(self._size[at], starts),
            price[starts],
            np.maximum.reduceat(price, starts),
            np.minimum.reduceat(price, starts),
        )
        rows = zip(*(c.tolist() for c in columns), strict=True)
        made = [MergedTrades(*values) for values in rows]
        if self._mark is not None:
            moved = moves(self._mark[at])
            if not moved.last.all():
                made = _some(made, price, self._size[at], moved, starts)
        for row, merged in zip(np.flatnonzero(kept).tolist(), made, strict=True):
            sums[row] = merged
        return sums


def _some(
    made: list[MergedTrades], price: I64, size: I64, moved: Moves, starts: I64
) -> list[MergedTrades]:
    """Sum up anew those of which a trade doesn't move everything; ``starts``: the row of the first trade of each."""
    row = np.arange(len(price))
    lowest = np.iinfo(np.int64).max
    first = np.minimum.reduceat(np.where(moved.last, row, len(price)), starts).tolist()
    last = np.maximum.reduceat(np.where(moved.last, row, -1), starts).tolist()
    high = np.maximum.reduceat(np.where(moved.range, price, -1), starts).tolist()
    low = np.minimum.reduceat(np.where(moved.range, price, lowest), starts).tolist()
    volume = np.add.reduceat(np.where(moved.volume, size, 0), starts).tolist()
    every = np.minimum.reduceat(moved.last.astype(np.int8), starts).tolist()
    return [
        one
        if every[i]
        else MergedTrades(
            one.symbol,
            volume[i],
            int(price[first[i]]) if last[i] >= 0 else None,
            high[i] if high[i] >= 0 else None,
            low[i] if high[i] >= 0 else None,
            int(price[last[i]]) if last[i] >= 0 else None,
            all=False,
        )
        for i, one in enumerate(made)
    ]
