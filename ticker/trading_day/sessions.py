"""
Sessions: when the US market trades, in New York's time, on any day.

Hours: NYSE Rule 7.34 and Nasdaq Equity 4, 1.3: 4:00 to 9:30, 9:30 to 16:00, 16:00 to 20:00; on half days the regular session ends at
13:00 and the last one at 17:00. Daylight saving: 15 U.S.C. 260a, as it has been since 2007. It is computed here rather than read
from the machine's time zones, so that it is the same everywhere: Windows has none without a further package.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from ticker.trading_day.holidays import half_days, trades_on

__all__ = [
    "EPOCH",
    "HALF_DAY",
    "REGULAR_DAY",
    "Session",
    "new_york_offset_s",
    "opens_at",
    "regular_sessions",
    "session_at",
    "sessions_of",
]

REGULAR_DAY = (("pre_market", 240), ("trading", 570), ("post_market", 960), ("closed", 1_200))
"""The sessions of a day by their statuses, and the minutes after midnight at which they begin."""

HALF_DAY = (("pre_market", 240), ("trading", 570), ("post_market", 780), ("closed", 1_020))
"""The same of a half day."""

_AROUND_DAYS = 7  # more than the market is ever closed for
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Where Unix time begins."""


class Session(NamedTuple):
    """A session: its status, one of :data:`~ticker.reference.status.STATUSES`, and from when to when it is, in Unix seconds."""

    status: str
    begin_s: int
    end_s: int


@lru_cache(maxsize=256)  # all symbols ask for the same moments
def session_at(second: int) -> Session:
    """Give the session in which a second is, Unix time."""
    local = EPOCH + timedelta(seconds=second + new_york_offset_s(second))
    times, statuses = _changes(local.date())
    at = bisect_right(times, second)
    return Session(statuses[at - 1], times[at - 1], times[at])


def opens_at(second: int) -> int:
    """Give when the next regular session begins after a second, Unix time."""
    session = session_at(session_at(second).end_s)
    while session.status != "trading":
        session = session_at(session.end_s)
    return session.begin_s


def regular_sessions(begin_s: int, end_s: int) -> list[Session]:
    """Give the regular sessions that begin on the days, of universal time, from one second's to another's."""
    first, last = (EPOCH.date() + timedelta(days=s // 86_400) for s in (begin_s, end_s))
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    found = (sessions_of(day) for day in days if trades_on(day))
    return [
        Session(status, begin, following)
        for sessions in found
        for (begin, status), (following, _) in pairwise(sessions)
        if status == "trading"
    ]


def new_york_offset_s(second: int) -> int:
    """Give how many seconds New York's clocks are ahead of Unix time at a second: -5 or -4 hours."""
    year = (EPOCH + timedelta(seconds=second)).year
    summer, winter = _switches(year)
    return -14_400 if summer <= second < winter else -18_000


@lru_cache(maxsize=64)
def _switches(year: int) -> tuple[int, int]:
    """Give when clocks go forward and back: at 2:00 on the second Sunday of March and the first of November."""
    march, november = date(year, 3, 8), date(year, 11, 1)
    first, last = (day + timedelta(days=6 - day.weekday()) for day in (march, november))
    return _midnight(first) + 7 * 3_600, _midnight(last) + 6 * 3_600


@lru_cache(maxsize=64)
def _changes(day: date) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Give the changes of session of the days around one: their times and the statuses from then on."""
    found = []
    for away in range(-_AROUND_DAYS, _AROUND_DAYS + 1):
        other = day + timedelta(days=away)
        if trades_on(other):
            found += sessions_of(other)
    times, statuses = zip(*found, strict=True)
    return times, statuses


def sessions_of(day: date) -> list[tuple[int, str]]:
    """Give when the sessions of a day begin, and their statuses."""
    midnight = _midnight(day)
    midnight -= new_york_offset_s(midnight + 43_200)  # clocks change before 4:00
    sessions = HALF_DAY if day in half_days(day.year) else REGULAR_DAY
    return [(midnight + 60 * minute, status) for status, minute in sessions]


def _midnight(day: date) -> int:
    """Give Unix time at a day's beginning in Greenwich."""
    return (day - EPOCH.date()).days * 86_400
