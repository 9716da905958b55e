"""Bars of a market with sessions, put together: prices of the way and of prints, shares of these and of ineligible trades."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.spans import Spans
from ticker.batch import BarTable

__all__ = ["Shares", "merged"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_SECOND_US = 1_000_000
_NEVER_LOW = np.iinfo(np.int64).max


class Shares(NamedTuple):
    """What was traded: stretches of time or trades, in any order."""

    start: I64
    """Unix time, in seconds."""
    trades: I64
    shares: I64
    notional: F64

    @classmethod
    def join(cls, parts: "list[Shares]") -> "Shares":
        """Put some after each other; at least one."""
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def merged(
    symbol: int,
    length: int,
    spans: Spans,
    prints: tuple[I64, I64],
    shares: Shares,
    *,
    under_way: int | None,
) -> BarTable:
    """
    Give the bars of a symbol, in the order of time.

    Args:
        symbol: its id.
        length: of the bars, in seconds.
        spans: where there are prices on the way: those of bars already.
        prints: the second of each print, and its price. They are at the price of the trade beside them, where there is one in the bar.
        shares: of everything.
        under_way: when a bar begins that comes even if it has only shares; it has no price then.
    """
    printed = prints[0] // length * length
    begin = np.unique(np.concatenate((spans.start, printed)))
    of = shares.start // length * length
    if under_way is not None and under_way in of:
        begin = np.union1d(begin, [under_way])
    opened, high, close = (np.zeros_like(begin) for _ in range(3))
    low = np.full_like(begin, _NEVER_LOW)
    row, price = np.searchsorted(begin, printed), prints[1]
    opened[row[::-1]], close[row] = (
        price[::-1],
        price,
    )  # where there are two, the first and the last stay
    np.maximum.at(high, row, price)
    np.minimum.at(low, row, price)
    row = np.searchsorted(begin, spans.start)
    opened[row], high[row], low[row], close[row] = spans.open, spans.high, spans.low, spans.close
    row = np.searchsorted(begin, of)
    there = row < len(begin)
    there[there] = begin[row[there]] == of[there]
    volume, trades = np.zeros_like(begin), np.zeros_like(begin)
    np.add.at(volume, row[there], shares.shares[there])
    np.add.at(trades, row[there], shares.trades[there])
    notional: F64 = np.bincount(row[there], shares.notional[there], len(begin)).astype(np.float64)
    symbols = np.full(len(begin), symbol, dtype=np.int32)
    times = begin * _SECOND_US
    return BarTable(symbols, times, opened, high, low, close, volume, notional, trades)
