"""
Prices between one regular session and the next: of what trades after the close and before the opening, of one symbol.

Both ends are known. A third of the night's variance falls after the close, as in the market itself (:mod:`ticker.trading_day.hours`). Where the
trades are known one by one, their prices are a Brownian bridge; further back each counts as traded on the straight line.
"""

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.days import MOST_TICKS
from ticker.randomness.noise import NORMAL_ONE, Stream, bits, halves, normals
from ticker.trading_day.calendar import TradingDays

__all__ = ["Overnight"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_LATE = 1 / 3
"""The part of the variance that falls after the close."""
_SECOND_US = 1_000_000


class Overnight:
    """
    The nights of one symbol; a night is numbered by the day before it.

    Args:
        days: on which the market opened.
        close: the last price of each, in ticks.
        opening: the first one of each; that of a day that hasn't opened yet is the price at the start.
        price: that price.
        deviation: of the return of a night.
        stream: the symbol's.
    """

    def __init__(
        self,
        days: TradingDays,
        close: I64,
        opening: I64,
        price: int,
        *,
        deviation: float,
        stream: Stream,
    ) -> None:
        self._days, self._deviation, self._stream = days, deviation, stream
        self._from = np.concatenate((opening[:1], close))
        self._to = np.append(opening, price)

    def line(self, time_us: I64) -> F64:
        """Give the prices on the straight line at some times outside of the regular sessions."""
        night, way = self._way(time_us)
        begin = self._from[night + 1]
        return begin + way * (self._to[night + 1] - begin)

    def walk(self, time_us: I64, *, begin_us: int, ends: int) -> I64:
        """
        Draw the prices of trades, in the order of time, outside of the regular sessions.

        Args:
            time_us: when they are.
            begin_us: from when on they are known.
            ends: the night that is under way at the start, whose last trade is at the price then; -1: there is none.
        """
        night, way = self._way(time_us)
        _, (known,) = self._way(np.array([begin_us]))
        prices, steps = np.empty(len(time_us)), self._normals(time_us)
        for one in np.unique(night).tolist():
            some = np.flatnonzero(night == one)
            begin, end = self._from[one + 1], self._to[one + 1]
            whole = one >= 0 and self._days.close[one] * _SECOND_US >= begin_us
            since = 0.0 if whole else float(known)
            until = float(way[some[-1]]) if one == ends else 1.0
            passed = np.diff(way[some], prepend=since, append=until)
            last = self._normals(np.array([-1 - one]))
            walk = np.cumsum(np.append(steps[some], last) * np.sqrt(np.maximum(passed, 0.0)))
            walk *= self._deviation * begin
            begin += since * (end - begin)
            share = (way[some] - since) / max(until - since, 1e-12)
            prices[some] = begin + walk[:-1] + share * (end - begin - walk[-1])
        return np.clip(np.rint(prices), 1, MOST_TICKS).astype(np.int64)

    def _normals(self, counter: I64) -> F64:
        draws = halves(bits(self._stream.keys, counter.astype(np.uint64)))[:, 0]
        drawn: F64 = normals(draws) / NORMAL_ONE
        return drawn

    def _way(self, time_us: I64) -> tuple[I64, F64]:
        """Give the night in which some times are, and how much of its variance has passed then."""
        days, second = self._days, time_us / _SECOND_US
        day = days.at(time_us // _SECOND_US)
        early = second < days.opening[day]
        before = (second - days.begin[day]) / (days.opening - days.begin)[day]
        after = (second - days.close[day]) / (days.end - days.close)[day]
        way = np.where(early, _LATE + (1 - _LATE) * before, _LATE * after)
        return np.where(early, day - 1, day), np.clip(way, 0.0, 1.0)
