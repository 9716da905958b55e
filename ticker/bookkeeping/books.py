"""A venue's records of what was handed out: sequences, snapshots, bars."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ticker.batch import (
    BARS,
    CHANNELS,
    DEPTH,
    INTERVALS,
    QUOTES,
    STATUS,
    TRADES,
    BarTable,
    TickBatch,
)
from ticker.bookkeeping.bars import BarBuilder
from ticker.bookkeeping.daybook import DayBook
from ticker.reference.marks import moves

__all__ = ["Books"]

I64 = NDArray[np.int64]

_SECOND_US = 1_000_000


class Books:
    """
    Sequences, day statistics and bars of all symbols.

    Args:
        symbols: how many there are.
        day: their state at the start.
    """

    def __init__(self, symbols: int, day: DayBook) -> None:
        self.day = day
        """Snapshots."""
        self.seq: I64 = np.zeros((CHANNELS, symbols), dtype=np.int64)
        """The last sequence handed out, by channel number and symbol id."""
        self.bars = BarBuilder(symbols)
        self.day_ends: Callable[[int], bool] = _midnight
        """Whether a day of the statistics ends at a second, Unix time."""

    def enter(self, rows: TickBatch) -> None:
        """Enter the trades and quotes among some events, in the order of time. Linear in them."""
        channel = rows.channel
        trade = channel == TRADES
        symbol, price, size = rows.symbol[trade], rows.price[trade], rows.size[trade]
        marks = rows.ask[trade]
        moved = moves(marks) if marks.any() else None
        self.bars.add(symbol, price, size, moved)
        self.day.trade(symbol, price, size, rows.time[trade], moved)
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
        self.seq[QUOTES, symbol] = self.seq[DEPTH, symbol] = rows.seq[quote]

    def enter_changes(self, rows: TickBatch) -> None:
        """Enter the changes of status among some events, in the order of time."""
        changes = rows[rows.channel == STATUS]
        self.day.status(changes.symbol, changes.price, changes.size, changes.time, changes.ask)
        self.seq[STATUS, changes.symbol] = changes.seq

    def next_end(self, second: int) -> int:
        """Give the first second, from one on, at which a bar that has a trade ends, or a day in Greenwich."""
        return min(self.bars.next_end(second), second + -second % INTERVALS["1d"])

    def close(self, second: int) -> TickBatch:
        """Close the bars, and the day, that end at a second (Unix time)."""
        parts = []
        for number, bars in self.bars.close(second):
            seq = self.seq[BARS + number]
            seq[bars.symbol] += 1
            parts.append(
                TickBatch.of_bars(BARS + number, bars, seq[bars.symbol], second * _SECOND_US)
            )
        if self.day_ends(second):
            self.day.close_day()
        return TickBatch.join(parts)

    def newest(
        self, symbol: int, interval: str, limit: int, now_us: int
    ) -> tuple[BarTable, bool, bool]:
        """Give the newest bars of a symbol, whether the last one is under way, and whether none was forgotten."""
        number, length = list(INTERVALS).index(interval), INTERVALS[interval] * _SECOND_US
        bars, partial = self.bars.newest(number, symbol, now_us // length * length, limit)
        return bars, partial, self.bars.history[number].complete


def _midnight(second: int) -> bool:
    return second % INTERVALS["1d"] == 0
