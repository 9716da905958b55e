"""
The shape of a day with sessions: the usual regular session, less before and after it, and nothing at night.

A tenth of the volume is traded before and after the regular session, half of it before: it was 11 % in January 2025, and 55 % of that
before the opening (NYSE, "The early bird gets the worm: a new normal in off-hours US equities trading", 2025). What happens outside of the regular session makes up 15 % of a day's variance (French and Roll, J. Financial Economics 1986, found 12 % to
20 % for the nights). Here all of that falls into the sessions that trade, so that there is no price gap without a trade.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.trading_day.calendar import TradingDays
from ticker.trading_day.sessions import regular_sessions, session_at
from ticker.trading_day.shape import UNIT, Busyness, DayShape

__all__ = [
    "OPENS_AFTER_S",
    "STRAIN",
    "ExtendedBusyness",
    "SessionBusyness",
    "SessionShape",
    "busyness",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_FIRST = {"trading": 0, "pre_market": 390, "post_market": 720, "closed": 960}
_MINUTES = {"trading": 390, "pre_market": 330, "post_market": 240, "closed": 1}
_VARIANCE = {"trading": 0.85, "pre_market": 0.10, "post_market": 0.05}
_VOLUME = {"pre_market": 0.05, "post_market": 0.05}
STRAIN = {"pre_market": 8.0, "post_market": 6.0, "closed": 8.0}
"""The factor on what spreads have above one tick, outside of the regular session."""

OPENS_AFTER_S = 330 * 60
"""How long after the first session the regular one begins."""


@dataclass(frozen=True, slots=True)
class SessionShape:
    """
    How the minutes of the US market's day differ; shorter sessions go through their minutes faster.

    Minutes are numbered by session: 390 of the regular one, then 330 and 240 of those before and after it, and one of the night.
    """

    regular: DayShape | None
    """The shape of the regular session; None: all of its minutes are alike."""
    start_s: int
    """Unix time of the market's start, in seconds."""

    def minutes(self, first_second: int, seconds: int) -> I64:
        """Give the number of the minute of each of some seconds since the start of the market."""
        parts, second, end = [], self.start_s + first_second, self.start_s + first_second + seconds
        while second < end:
            status, begin, until = session_at(second)
            upto = min(end, until)
            passed = np.arange(second, upto) - begin
            parts.append(_FIRST[status] + passed * _MINUTES[status] // (until - begin))
            second = upto
        return np.concatenate(parts)

    def volatility(self) -> F64:
        """Give the factor on the volatility in each minute, of mean square 1 over a day: shape (961,)."""
        regular = np.ones(390) if self.regular is None else self.regular.volatility()
        parts = [regular * np.sqrt(_VARIANCE["trading"])]
        for status in ("pre_market", "post_market"):
            minutes = _MINUTES[status]
            parts.append(np.full(minutes, np.sqrt(_VARIANCE[status] * 390 / minutes)))
        return np.concatenate((*parts, [0.0]))

    def activity(self) -> F64:
        """Give the factor on the rate of events in each minute, of mean 1 over the regular session: shape (961,)."""
        regular = np.ones(390) if self.regular is None else self.regular.activity()
        return np.concatenate((regular, *map(_thin, ("pre_market", "post_market")), [0.0]))

    def strain(self) -> F64:
        """Give the factor on what spreads have above one tick in each minute: shape (961,)."""
        regular = np.ones(390) if self.regular is None else self.regular.strain()
        outside = [np.full(_MINUTES[s], STRAIN[s]) for s in ("pre_market", "post_market", "closed")]
        return np.concatenate((regular, *outside))


class SessionBusyness:
    """
    How much happens up to a time before the start of a market with sessions: what does in the regular ones, and nothing else.

    Args:
        shape: of a day.
        start: Unix time of the market's start, in seconds.
        variance: whether it is the variance of prices that is meant, instead of trades and quotes.
    """

    days = 750
    """How many days the past goes back: more than 500 on which the market opens."""
    night = 1 - _VARIANCE["trading"]
    """The share of a day's variance between one regular session and the next."""

    def __init__(self, shape: SessionShape, start: int, *, variance: bool = False) -> None:
        sessions = regular_sessions(start - self.days * 86_400, start)
        self._begin, end = np.array([session[1:] for session in sessions], dtype=np.int64).T
        begun = self._begin[self._begin - OPENS_AFTER_S <= start]
        self.newest = int(begun[-1]) // 86_400
        """The day of the start, in days since 1970: the newest whose first session has begun."""
        self._length, self._start = end - self._begin, start
        self._day = Busyness(shape.regular, start, variance=variance)
        whole = self._day.units(self._length, self._length)
        # What happened, and how many seconds were open, up to the beginning of each.
        self._sums = np.cumsum(whole) - whole
        self._opened = np.cumsum(self._length) - self._length

    def until(self, second: I64) -> F64:
        """Give what happens from the first session to each of some times (Unix, seconds), in seconds of the mean."""
        at, passed = self._within(second)
        found: F64 = (self._sums[at] + self._day.units(passed, self._length[at])) / UNIT
        return found

    def since(self, seconds: int) -> int:
        """Give the time from which on the market was open for so many seconds until the start, as far as there are."""
        at, passed = self._within(np.array([self._start]))
        target = max(0, int(self._opened[at[0]] + passed[0]) - seconds)
        session = np.searchsorted(self._opened, target, "right") - 1
        return int(self._begin[session] + target - self._opened[session])

    def _within(self, second: I64) -> tuple[I64, I64]:
        """Give the newest session at each of some times, and how many seconds of it have passed."""
        at = np.maximum(0, np.searchsorted(self._begin, second, "right") - 1)
        return at, np.clip(second - self._begin[at], 0, self._length[at])


class ExtendedBusyness:
    """
    How much happens in the sessions before and after the regular ones, up to a time.

    Args:
        days: on which the market opens.
        start: Unix time of the market's start, in seconds.
    """

    def __init__(self, days: TradingDays, start: int) -> None:
        self._days, self._start = days, start
        before, after = (
            np.concatenate(([0], np.cumsum(np.rint(_thin(s) * UNIT).astype(np.int64) * 60)))
            for s in ("pre_market", "post_market")
        )
        self._before, self._after = before, after

    def of(self, start: I64, length: int) -> F64:
        """Tell how much happens in some seconds up to the start of the market, in seconds of the mean of the regular session."""
        end = np.minimum(start + length, self._start)
        return (self._until(end) - self._until(np.minimum(start, self._start))) / UNIT

    def _until(self, second: I64) -> I64:
        day, days = self._days.at(second), self._days
        whole = day * (self._before[-1] + self._after[-1])
        early = _summed(self._before, second - days.begin[day])
        late = _summed(self._after, np.minimum(second, days.end[day]) - days.close[day])
        found: I64 = whole + early + late
        return found


def _summed(sums: I64, passed: I64) -> I64:
    """Give what happens in some seconds since a session began, given the sums up to each of its minutes."""
    passed = np.clip(passed, 0, 60 * (len(sums) - 1))
    minute = np.minimum(passed // 60, len(sums) - 2)
    found: I64 = sums[minute] + (sums[minute + 1] - sums[minute]) // 60 * (passed - 60 * minute)
    return found


def _thin(status: str) -> F64:
    """Give the factor on the rate of events in each minute of a session that isn't the regular one: the nearer to it, the more."""
    minutes = _MINUTES[status]
    away = np.arange(minutes) if status == "post_market" else np.arange(minutes)[::-1]
    # In 1 / 2**16, so that the mean is of whole numbers, exact in any order of summation.
    raw = np.rint((1 + 6 / (1 + away / 15)) * (1 << 16)) / (1 << 16)
    share = _VOLUME[status] / (1 - sum(_VOLUME.values())) * 390 / minutes
    factor: F64 = raw / raw.mean() * share
    return factor


def busyness(
    shape: DayShape | SessionShape | None, start: int, *, variance: bool = False
) -> Busyness | SessionBusyness:
    """Give how much happens up to a time, by the shape of a day, before a market that starts at a second, Unix time."""
    if isinstance(shape, SessionShape):
        return SessionBusyness(shape, start, variance=variance)
    return Busyness(shape, start, variance=variance)
