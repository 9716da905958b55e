"""
Bars from trades, for all symbols and every interval at once.

Trades go into the bars of the shortest interval; when those close, they are folded into the bars of the next, and so
on: each trade is touched once, however many intervals there are.

A trade whose conditions don't let it move the last price is neither open nor close, and so on (:mod:`ticker.reference.conditions`). An
interval in which nothing moved the last price has no bar, but its shares count in longer ones.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from ticker.batch import INTERVALS, BarTable
from ticker.reference.marks import Moves

__all__ = ["BarBuilder", "BarHistory", "meet"]

I64 = NDArray[np.int64]

_NEVER_LOW = np.iinfo(np.int64).max


class _OpenBars:
    """
    The bars of one interval that are under way, one a symbol.

    Without a trade yet where ``trades`` is 0, and without a price where ``open`` is.
    """

    def __init__(self, symbols: int) -> None:
        self.open = np.zeros(symbols, dtype=np.int64)
        self.high = np.zeros(symbols, dtype=np.int64)
        self.low = np.full(symbols, _NEVER_LOW)
        self.close = np.zeros(symbols, dtype=np.int64)
        self.volume = np.zeros(symbols, dtype=np.int64)
        self.notional = np.zeros(symbols)
        self.trades = np.zeros(symbols, dtype=np.int64)

    def add(self, symbol: NDArray[np.int32], price: I64, size: I64) -> None:
        """Add trades, in the order of time. Linear in trades."""
        self._last(symbol, price)
        self._range(symbol, price)
        self._volume(symbol, price, size)

    def add_some(self, symbol: NDArray[np.int32], price: I64, size: I64, moves: Moves) -> None:
        """Add trades that don't move everything."""
        self._last(symbol[moves.last], price[moves.last])
        self._range(symbol[moves.range], price[moves.range])
        self._volume(symbol[moves.volume], price[moves.volume], size[moves.volume])

    def _last(self, symbol: NDArray[np.int32], price: I64) -> None:
        fresh = self.open[symbol] == 0
        # Where an index repeats, the last assignment stays: the earliest trade.
        self.open[symbol[fresh][::-1]] = price[fresh][::-1]
        self.close[symbol] = price

    def _range(self, symbol: NDArray[np.int32], price: I64) -> None:
        np.maximum.at(self.high, symbol, price)
        np.minimum.at(self.low, symbol, price)

    def _volume(self, symbol: NDArray[np.int32], price: I64, size: I64) -> None:
        np.add.at(self.volume, symbol, size)
        np.add.at(self.notional, symbol, price * size.astype(np.float64))
        np.add.at(self.trades, symbol, 1)

    def fold(self, bars: BarTable) -> None:
        """Add later bars, at most one a symbol."""
        at = bars.symbol
        self.open[at] = np.where(self.open[at] == 0, bars.open, self.open[at])
        self.high[at] = np.maximum(self.high[at], bars.high)
        self.low[at] = np.minimum(self.low[at], bars.low)
        self.close[at] = np.where(bars.open == 0, self.close[at], bars.close)
        self.volume[at] += bars.volume
        self.notional[at] += bars.notional
        self.trades[at] += bars.trades

    def table(self, start: int) -> BarTable:
        """Give the bars that have a trade, as bars that started at ``start``."""
        return self.rows(np.flatnonzero(self.trades), start)

    def rows(self, at: NDArray[np.intp], start: int) -> BarTable:
        """Give the bars of some symbols, as bars that started at ``start``."""
        return BarTable(
            at.astype(np.int32),
            np.full(len(at), start),
            self.open[at],
            self.high[at],
            self.low[at],
            self.close[at],
            self.volume[at],
            self.notional[at],
            self.trades[at],
        )

    def clear(self, at: NDArray[np.int32]) -> None:
        """Start over for some symbols."""
        self.low[at] = _NEVER_LOW
        for column in (self.open, self.high, self.volume, self.notional, self.trades):
            column[at] = 0


class BarHistory:
    """The newest closed bars of one interval, at most ``rows`` of all symbols together."""

    def __init__(self, rows: int = 200_000, tables: int = 5_000) -> None:
        self._closed: deque[BarTable] = deque()
        self._rows = 0
        self.complete = True
        """Whether nothing was forgotten."""
        self._most_rows, self._most_tables = rows, tables

    def append(self, bars: BarTable) -> None:
        """Keep the bars that closed together, at least one; forget the oldest ones past the limits."""
        self._closed.append(bars)
        self._rows += len(bars)
        while (self._rows > self._most_rows and len(self._closed) > 1) or len(
            self._closed
        ) > self._most_tables:
            self._rows -= len(self._closed.popleft())
            self.complete = False

    def of(self, symbol: int, limit: int) -> BarTable:
        """Give the newest bars of one symbol, oldest first, at most ``limit``. Linear in the closings looked through."""
        found: list[BarTable] = []
        for bars in reversed(self._closed):
            if len(found) >= limit:
                break
            row = int(np.searchsorted(bars.symbol, symbol))
            if row < len(bars) and bars.symbol[row] == symbol:
                found.append(bars.take(slice(row, row + 1)))
        return BarTable.join(found[::-1]) if found else BarTable.empty()


class BarBuilder:
    """Bars of every interval of :data:`~ticker.batch.INTERVALS`, from trades."""

    def __init__(self, symbols: int) -> None:
        self._open = [_OpenBars(symbols) for _ in INTERVALS]
        self._lengths = list(INTERVALS.values())
        self.history = [BarHistory() for _ in INTERVALS]
        """The closed bars, one history an interval."""

    def add(
        self, symbol: NDArray[np.int32], price: I64, size: I64, moves: Moves | None = None
    ) -> None:
        """Add trades, in the order of time; ``moves``: what they move, None: everything."""
        if moves is None:
            self._open[0].add(symbol, price, size)
        else:
            self._open[0].add_some(symbol, price, size, moves)

    def close(self, second: int) -> list[tuple[int, BarTable]]:
        """
        Close every interval that ends at ``second`` (Unix time).

        Must be called for each second, in order, but for those before :meth:`next_end`.

        Returns:
            The number of each interval that closed with a price, with its bars, shortest first.
        """
        closed = []
        for number, length in enumerate(self._lengths):
            if second % length:
                break
            bars = self._open[number].table((second - length) * 1_000_000)
            self._open[number].clear(bars.symbol)
            if number + 1 < len(self._open):
                self._open[number + 1].fold(bars)
            if not bars.open.all():
                bars = bars.take(np.flatnonzero(bars.open))
            if len(bars):
                self.history[number].append(bars)
                closed.append((number, bars))
        return closed

    def next_end(self, second: int) -> int:
        """Give the first second, from one on, at which an interval with a trade ends; none has one: that second a day later."""
        ends = [
            second + -second % length
            for part, length in zip(self._open, self._lengths, strict=True)
            if part.trades.any()
        ]
        return min(ends, default=second + self._lengths[-1])

    def newest(self, number: int, symbol: int, start: int, limit: int) -> tuple[BarTable, bool]:
        """
        Give the newest bars of one symbol, oldest first, at most ``limit``, which is at least 1.

        Returns:
            The bars, and whether the last one is under way since ``start``.
        """
        partial = self.under_way(number, symbol, start)
        closed = self.history[number].of(symbol, limit - len(partial))
        return BarTable.join([closed, partial]), bool(len(partial))

    def under_way(self, number: int, symbol: int, start: int) -> BarTable:
        """
        Give one symbol's bar of an interval that started at ``start`` (microseconds) so far, or no row.

        Cost: the same for any number of symbols.
        """
        at = np.array([symbol])
        # The bars of the longer interval are the earlier part of it.
        parts = [part.rows(at, start) for part in self._open[number::-1] if part.trades[symbol]]
        return _folded(BarTable.join(parts)) if parts else BarTable.empty()


def meet(earlier: BarTable, later: BarTable) -> BarTable:
    """Join bars of one symbol, of which the last of the one may be the earlier part of the first of the other, even without a price."""
    if not len(earlier) or not len(later) or earlier.start[-1] != later.start[0]:
        bars = BarTable.join([earlier, later])
        return bars.take(np.flatnonzero(bars.open))
    shared = BarTable.join([earlier.take(slice(-1, None)), later.take(slice(1))])
    return BarTable.join([earlier.take(slice(-1)), _folded(shared), later.take(slice(1, None))])


def _folded(bars: BarTable) -> BarTable:
    """Make one bar of successive parts of it; none, if nothing in them made a price."""
    priced = np.flatnonzero(bars.open)
    if not len(priced):
        return BarTable.empty()
    return BarTable(
        bars.symbol[:1],
        bars.start[:1],
        bars.open[priced[:1]],
        bars.high.max(keepdims=True),
        bars.low.min(keepdims=True),
        bars.close[priced[-1:]],
        bars.volume.sum(keepdims=True),
        bars.notional.sum(keepdims=True),
        bars.trades.sum(keepdims=True),
    )
