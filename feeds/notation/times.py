"""Lengths and moments of time, as people write them in tests: ``"250ms"``, ``1.5``, ``"09:45"``."""

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from feeds.errors import CommandError

__all__ = [
    "Duration",
    "Moment",
    "as_datetime",
    "duration_us",
    "in_new_york",
    "moment_us",
    "seconds_of",
]

Duration = str | int | float | timedelta
"""``"250ms"``, ``"1.5s"``, ``"2m"``, ``"1h"``, ``"3d"``; a number of seconds; or a ``timedelta``."""

Moment = str | datetime
"""``"09:45"`` or ``"09:45:30"``, New York time of the market's day; a date and time of ISO 8601; or a ``datetime``."""

_UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
_UNITS_US["d"] = 24 * _UNITS_US["h"]
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|m|h|d)\s*")
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,6})?))?")
_LONGEST_US = 100 * 365 * 86_400 * 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def duration_us(value: Duration) -> int:
    """
    Give a length of time in whole microseconds.

    Raises:
        CommandError: it is none, or negative; the message names it.
    """
    given: Fraction | None = None
    if isinstance(value, timedelta):
        given = Fraction(value // _MICROSECOND)
    elif isinstance(value, str):
        if match := _DURATION.fullmatch(value):
            given = Fraction(match[1]) * _UNITS_US[match[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12:
        given = Fraction(repr(value)) * 1_000_000
    if given is None or not 0 <= given <= _LONGEST_US:
        raise CommandError(
            f"{value!r} is no length of time; one is written 250ms, 1.5s, 2m, 1h, 3d, or as a number of seconds, 0 or more"
        )
    return round(given)


def seconds_of(value: Duration) -> float:
    """
    Give a length of time in seconds.

    Raises:
        CommandError: it is none.
    """
    return duration_us(value) / 1e6


def as_datetime(us: int) -> datetime:
    """Give Unix time in microseconds as an aware ``datetime``, in UTC."""
    return _EPOCH + timedelta(microseconds=us)


def in_new_york(us: int) -> str:
    """Write Unix time in microseconds for people, in both zones: a time of day alone is taken for New York's."""
    when = as_datetime(us)
    return f"{when.isoformat()}, {when.astimezone(_new_york()):%H:%M:%S} in New York"


def moment_us(value: Moment, now_us: int) -> int:
    """
    Give a moment as Unix time in microseconds.

    Args:
        value: the moment. Without a zone, it is New York's.
        now_us: the market's time, which says what day it is.

    Raises:
        CommandError: it is none; the message names it.
    """
    when: datetime | None = None
    if isinstance(value, datetime):
        when = value
    elif isinstance(value, str):
        when = _time_of_day(value, now_us) or _iso(value)
    if when is None:
        raise CommandError(
            f"{value!r} is no moment; one is written 09:45 or 09:45:30 (New York), or 2026-01-05T14:45:00Z"
        )
    if when.tzinfo is None:
        when = when.replace(tzinfo=_new_york())
    return (when - _EPOCH) // _MICROSECOND


def _time_of_day(text: str, now_us: int) -> datetime | None:
    match = _TIME_OF_DAY.fullmatch(text.strip())
    if match is None:
        return None
    hour, minute, second = int(match[1]), int(match[2]), Fraction(match[3] or "0")
    if hour > 23 or minute > 59 or second >= 60:
        return None
    today = as_datetime(now_us).astimezone(_new_york())
    whole = int(second)
    return today.replace(
        hour=hour, minute=minute, second=whole, microsecond=int((second - whole) * 1_000_000)
    )


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _new_york() -> ZoneInfo:
    try:
        return ZoneInfo("America/New_York")
    except ZoneInfoNotFoundError as error:
        raise CommandError(
            "this machine has no time zones: pip install tzdata, or give a time with its zone"
        ) from error
