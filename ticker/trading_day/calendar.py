"""The days on which the US market opened before a time, with all of their sessions, and the time that counts only while it is open."""

from datetime import timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ticker.trading_day.holidays import trades_on
from ticker.trading_day.sessions import EPOCH, sessions_of

__all__ = ["TradingDays"]

I64 = NDArray[np.int64]

_DAY_S = 86_400
_SECOND_US = 1_000_000


class TradingDays:
    """
    The days on which the market opens that have begun by some time, oldest first. There is at least one.

    Args:
        until: Unix time, in seconds.
        days: how many days of the calendar to go back.
    """

    def __init__(self, until: int, days: int) -> None:
        begun = [row for row in _days(until // _DAY_S, days) if row[0] <= until]
        self.begin, self.opening, self.close, self.end = np.array(begun, dtype=np.int64).T
        """When the session before the regular one begins, the regular one, the one after it, and the night: Unix seconds."""
        lengths = self.end - self.begin
        self._opened = np.cumsum(lengths) - lengths

    def at(self, second: I64) -> I64:
        """Give the newest of the days that has begun at some times, by its number; before the first one, the first."""
        return np.maximum(0, np.searchsorted(self.begin, second, "right") - 1)

    def opened(self, time_us: I64) -> I64:
        """Tell for how long the market had been open at some times, in microseconds since the first day began."""
        day = self.at(time_us // _SECOND_US)
        length = (self.end - self.begin)[day] * _SECOND_US
        passed = np.clip(time_us - self.begin[day] * _SECOND_US, 0, length)
        since: I64 = self._opened[day] * _SECOND_US + passed
        return since

    def clock(self, opened_us: I64) -> I64:
        """Give the time at which the market had been open for so long: the other way round."""
        day = np.searchsorted(self._opened, opened_us // _SECOND_US, "right") - 1
        time: I64 = (self.begin - self._opened)[day] * _SECOND_US + opened_us
        return time


@lru_cache(maxsize=8)
def _days(last: int, days: int) -> list[tuple[int, ...]]:
    """Give when the sessions begin of each day up to one, which is counted from 1970."""
    dates = (EPOCH.date() + timedelta(days=n) for n in range(last - days, last + 1))
    return [tuple(time for time, _ in sessions_of(day)) for day in dates if trades_on(day)]
