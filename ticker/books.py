"""
The books of a market: what was handed out, as sequences, snapshots and bars.

They lag behind what was handed out and are brought up to date when somebody looks, at each full second, and before a
block is dropped; so a step of a single event costs microseconds.
"""

import numpy as np
from numpy.typing import NDArray

from ticker.bars import BarBuilder
from ticker.batch import BARS, CHANNELS, INTERVALS, QUOTES, STATUS, TRADES, BarTable, TickBatch
from ticker.daybook import DayBook
from ticker.past import Past
from ticker.prelude import Standing
from ticker.universe import Universe

__all__ = ["Books"]

I64 = NDArray[np.int64]

_SECOND_US = 1_000_000


class Books:
    """
    Sequences, day statistics and bars of all symbols.

    Args:
        universe: what is traded.
        first: the first price of each symbol, in ticks.
        bid: the standing bid at the start, in ticks.
        ask: the standing ask at the start, in ticks.
        start_us: Unix time of the start, in microseconds.
        past: gives what was before the start; None: nothing.
    """

    def __init__(
        self,
        universe: Universe,
        first: NDArray[np.float64],
        bid: I64,
        ask: I64,
        start_us: int,
        past: Past | None = None,
    ) -> None:
        self.day = DayBook(first.astype(np.int64), bid, ask, universe, start_us)
        """Snapshots."""
        self.seq: I64 = np.zeros((CHANNELS, len(universe)), dtype=np.int64)
        """The last sequence handed out, by channel number and symbol id."""
        self.bars = BarBuilder(len(universe))
        self._past = past
        self._universe = universe
        self._first, self._bid, self._ask = first, bid.copy(), ask.copy()

    def enter(self, rows: TickBatch) -> None:
        """Enter trades, quotes and changes of status, in the order of time. Linear in them."""
        channel = rows.channel
        trade = channel == TRADES
        symbol, price, size = rows.symbol[trade], rows.price[trade], rows.size[trade]
        self.bars.add(symbol, price, size)
        self.day.trade(symbol, price, size, rows.time[trade])
        self.seq[TRADES, symbol] = rows.seq[trade]
        quote = channel == QUOTES
        symbol = rows.symbol[quote]
        self.day.quote(
            symbol,
            rows.price[quote],
            rows.size[quote],
            rows.ask[quote],
            rows.ask_size[quote],
            rows.time[quote],
        )
        self.seq[QUOTES, symbol] = rows.seq[quote]

    def enter_changes(self, rows: TickBatch) -> None:
        """Enter the changes of status among some events, in the order of time."""
        changes = rows[rows.channel == STATUS]
        self.day.status(changes.symbol, changes.price, changes.size, changes.time)
        self.seq[STATUS, changes.symbol] = changes.seq

    def close(self, second: int) -> TickBatch:
        """Close the bars, and the day, that end at a second (Unix time)."""
        parts = []
        for number, bars in self.bars.close(second):
            seq = self.seq[BARS + number]
            seq[bars.symbol] += 1
            parts.append(
                TickBatch.of_bars(BARS + number, bars, seq[bars.symbol], second * _SECOND_US)
            )
        if second % INTERVALS["1d"] == 0:
            self.day.close_day()
        return TickBatch.join(parts)

    def newest_bars(
        self, symbol: int, interval: str, limit: int, now_us: int
    ) -> tuple[BarTable, bool]:
        """Give the newest bars of a symbol, and whether the last one is under way; see :meth:`Outlet.bars`."""
        number, length = list(INTERVALS).index(interval), INTERVALS[interval] * _SECOND_US
        bars, partial = self.bars.newest(number, symbol, now_us // length * length, limit)
        missing = limit - len(bars)
        if self._past is not None and missing > 0 and self.bars.history[number].complete:
            instrument, standing = self._universe[symbol], self._standing(symbol)
            past = self._past.bars(symbol, instrument, standing, interval, missing)
            bars = BarTable.join([past, bars])
        return bars, partial

    def recent(self, symbol: int) -> TickBatch:
        """Give the trades and quotes of a symbol from before the start; see :meth:`Outlet.recent`."""
        if self._past is None:
            return TickBatch.empty()
        return self._past.events(symbol, self._universe[symbol], self._standing(symbol))

    def _standing(self, symbol: int) -> Standing:
        columns = (self._first, self._bid, self._ask)
        return Standing(*(int(column[symbol]) for column in columns))
