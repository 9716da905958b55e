"""
The shape of a trading day: volatile and busy after the opening, calm at noon, busy again before the close.

A reverse J in the volatility, a U in the activity (Wood, McInish, Ord, J. Finance 1985; Andersen and Bollerslev,
J. Empirical Finance 1997; Ozenbas, "Intra-day trading volume patterns of equity markets", 2008).

The market is always open and repeats the shape of a regular day of 390 minutes. It starts an hour after an opening, so
that it has about the rate that was asked for at first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DAY_S", "UNIT", "Busyness", "DayShape"]

F64 = NDArray[np.float64]

DAY_S = 23_400
"""The seconds of a regular US trading day: 9:30 to 16:00."""

UNIT = 1 << 20
"""Units of what happens that make up a second of the mean."""

_MINUTES = DAY_S // 60


@dataclass(frozen=True, slots=True)
class DayShape:
    """
    How the day's minutes differ: 1 at noon, more by ``opening`` in the first and by ``close`` in the last minute.

    What is more falls hyperbolically: to a half after ``fade`` minutes.
    """

    volatility_opening: float = 3.0
    volatility_close: float = 1.2
    activity_opening: float = 3.0
    activity_close: float = 2.8
    fade: float = 15.0
    first_minute: int = 60
    """The minute of the day at which a market starts: here, one of about the mean rate of events."""

    def minutes(self, first_second: int, seconds: int) -> NDArray[np.int64]:
        """Give the minute of the day of each of some seconds since the start of the market."""
        second = np.arange(first_second, first_second + seconds)
        minute: NDArray[np.int64] = (second // 60 + self.first_minute) % _MINUTES
        return minute

    def volatility(self) -> F64:
        """Give the factor on the volatility in each minute, of mean square 1: shape (390,)."""
        raw = self._raw(self.volatility_opening, self.volatility_close)
        scaled: F64 = raw / np.sqrt((raw * raw).mean())
        return scaled

    def activity(self) -> F64:
        """Give the factor on the rate of events in each minute, of mean 1: shape (390,)."""
        raw = self._raw(self.activity_opening, self.activity_close)
        scaled: F64 = raw / raw.mean()
        return scaled

    def strain(self) -> F64:
        """Give the factor on what spreads have above one tick in each minute: shape (390,)."""
        return self.volatility()

    def _raw(self, opening: float, close: float) -> F64:
        minute = np.arange(_MINUTES)
        left = _MINUTES - 1 - minute
        # In 1 / 2**16, so that the means are of whole numbers, exact in any order of summation.
        raw = 1 + opening / (1 + minute / self.fade) + close / (1 + left / self.fade)
        return np.rint(raw * (1 << 16)) / (1 << 16)


class Busyness:
    """
    How much happens up to a time, where it is as the shape of the day has it, before the start of the market too.

    Args:
        shape: of a day; None: all minutes are alike.
        start: Unix time of the market's start, in seconds.
        variance: whether it is the variance of prices that is meant, instead of trades and quotes.
    """

    days = 500
    """How many days the past goes back."""
    night = 0.0
    """The share of a day's variance between its end and the beginning of the next."""

    def __init__(self, shape: DayShape | None, start: int, *, variance: bool = False) -> None:
        each = np.ones(_MINUTES)
        if shape is not None:
            each = shape.volatility() ** 2 if variance else shape.activity()
        # Whole numbers, so that what happens between two times doesn't depend on where one begins to count.
        self._minutes = np.rint(each * UNIT).astype(np.int64)
        self._sums = np.concatenate(([0], np.cumsum(self._minutes))) * 60
        self._start = start
        self.newest = start // 86_400
        """The day of the start, in days since 1970."""
        self._opening = start - 60 * (0 if shape is None else shape.first_minute)

    def until(self, second: NDArray[np.int64]) -> F64:
        """Give what happens from an opening to each of some times (Unix, seconds), in seconds of the mean."""
        days, within = np.divmod(second - self._opening, DAY_S)
        minute, rest = np.divmod(within, 60)
        until = days * self._sums[-1] + self._sums[minute] + rest * self._minutes[minute]
        found: F64 = until / UNIT
        return found

    def since(self, seconds: int) -> int:
        """Give the time that is so many seconds before the start."""
        return self._start - seconds

    def units(self, passed: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give what happened after some seconds of a day that goes through its minutes in ``length`` seconds, in units."""
        scaled = passed * DAY_S
        minute = np.minimum(scaled // (60 * length), _MINUTES - 1)
        rest = scaled - minute * 60 * length
        units: NDArray[np.int64] = self._sums[minute] * length + rest * self._minutes[minute]
        return units // DAY_S
