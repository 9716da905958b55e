"""
Recent trades, kept while somebody may need to hear of several as one: what were the shares and extremes of those?

A ring a symbol, in one table: a trade's place is its sequence modulo the length, so that keeping a turn's trades is three
assignments, nothing is ever moved or trimmed, and the trades from one sequence to another are where they are.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    open: int
    high: int
    low: int


class TradeRings:
    """
    The newest trades of each symbol.

    Memory: 16 bytes a trade, at most 1,024 of each symbol, and about 32 MB in all; touched only where there are trades.

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

    def extend(self, symbol: I64, seq: I64, price: I64, size: I64) -> None:
        """Keep trades, in order."""
        at = symbol * self.length + seq % self.length
        self._price[at] = price  # where a place repeats, the last assignment stays
        self._size[at] = size

    def sum_up(self, symbols: I64, last: I64, counts: I64) -> list[MergedTrades | None]:
        """
        Give what some trades come to; None where one of them is no longer kept.

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
        for row, values in zip(np.flatnonzero(kept).tolist(), rows, strict=True):
            sums[row] = MergedTrades(*values)
        return sums
