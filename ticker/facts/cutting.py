"""Where the sessions of a recorded tape begin: after each night, or at hours that somebody names."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from ticker.tape import TapeError
from ticker.trading_day.shape import DAY_S

__all__ = ["Cut", "Hours", "at_hours", "at_nights"]

I64 = NDArray[np.int64]

_MINUTE_US = 60_000_000
_DAY_MINUTES = 24 * 60
_NIGHT_US = 3 * 60 * _MINUTE_US
"""A silence of all symbols that ends a session: longer than a lunch break or a halt, shorter than a night."""

_ALMOST = 0.9
"""A stretch of this much of a session is one: the last trade of an afternoon comes before its end. Half days are less."""


class Cut(NamedTuple):
    """Sessions of one length."""

    seconds: int
    """Their length, in whole minutes."""
    starts: list[int]
    """When each begins, Unix time in microseconds."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of a session, by the clock of a place; one that ends before it begins ends on the next day."""

    begin: time
    end: time
    zone: tzinfo = UTC

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """
        Read ``9:30-16:00``, which is UTC, or ``9:30-16:00@America/New_York``.

        Raises:
            ValueError: it isn't written like that, or the zone isn't known.
        """
        hours, _, zone = text.partition("@")
        begin, _, end = hours.partition("-")
        try:
            first, last = (datetime.strptime(t.strip(), "%H:%M").time() for t in (begin, end))
        except ValueError:
            raise ValueError(
                f"hours {text!r} are not written like 9:30-16:00 or 9:30-16:00@America/New_York"
            ) from None
        if not zone:
            return cls(first, last)
        try:
            return cls(first, last, ZoneInfo(zone.strip()))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"hours {text!r}: this machine knows no time zone {zone!r}; one is America/New_York"
            ) from None

    @property
    def seconds(self) -> int:
        """How long they are: up to a day."""
        begin, end = (t.hour * 3600 + t.minute * 60 for t in (self.begin, self.end))
        return (end - begin) % 86_400 or 86_400

    def start(self, day: date) -> int:
        """Give when they begin on a day, Unix time in microseconds."""
        return round(datetime.combine(day, self.begin, self.zone).timestamp()) * 1_000_000


def at_nights(times: I64) -> Cut:
    """
    Cut a tape where all symbols are silent for hours.

    Sessions have one length, so that their minutes can be compared: that of the stretches between two nights in which most of the
    tape lies. A longer stretch is several sessions; one that is shorter, such as a half day, is left out. Where there are no
    nights, as on tapes of currencies, sessions are of a regular day's 390 minutes, one after the other from the start on.

    Args:
        times: of all rows, in order.

    Raises:
        TapeError: the tape is shorter than a minute.
    """
    nights = np.flatnonzero(np.diff(times) >= _NIGHT_US)
    first, last = times[np.append(0, nights + 1)], times[np.append(nights, len(times) - 1)]
    length = last - first
    # A day's last event comes in its last minute; where a recording stops, a minute may be cut off.
    minutes = -(-length // _MINUTE_US) if len(nights) else length // _MINUTE_US
    if length.max() < _MINUTE_US:
        pieces = f" in its longest of {len(length)} pieces" if len(nights) else ""
        raise TapeError(
            f"the tape lasts {length.max() / 1e6:.1f} s{pieces}; at least a minute is needed"
        )
    order = np.argsort(minutes)
    passed = np.cumsum(minutes[order])
    usual = int(minutes[order][np.searchsorted(passed, passed[-1] / 2)])
    session = usual if len(nights) and usual <= _DAY_MINUTES else min(DAY_S // 60, usual)
    starts = [
        int(begin) + number * session * _MINUTE_US
        for begin, there in zip(first, minutes, strict=True)
        if there >= _ALMOST * session
        for number in range(max(1, int(there) // session))
    ]
    return Cut(session * 60, starts)


def at_hours(times: I64, hours: Hours) -> Cut:
    """
    Cut a tape into the hours of each day, as far as something happened in them.

    Raises:
        TapeError: nothing did, on any day.
    """
    first, last = (datetime.fromtimestamp(t / 1e6, hours.zone).date() for t in times[[0, -1]])
    days = range(-1, (last - first).days + 1)
    begin = np.array([hours.start(first + timedelta(days=day)) for day in days])
    rows = np.searchsorted(times, (begin, begin + hours.seconds * 1_000_000))
    starts = begin[rows[1] > rows[0]].tolist()
    if not starts:
        raise TapeError("there is no trade and no quote in these hours on any day")
    return Cut(hours.seconds, starts)
