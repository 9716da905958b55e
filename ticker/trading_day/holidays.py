"""
The days on which the US market doesn't trade, or only until 13:00: NYSE Rule 7.2 and the exchange's calendar, as rules.

Rules rather than a table give every year its holidays, by today's rules, of which the newest is Juneteenth, since 2022. Single days on
which the market was closed, as for mourning, aren't included.
"""

from datetime import date, timedelta
from functools import lru_cache

__all__ = ["half_days", "holidays", "trades_on"]

_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6


def trades_on(day: date) -> bool:
    """Tell whether the market opens on a day."""
    return day.weekday() < _SATURDAY and day not in holidays(day.year)


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    """Give the weekdays of a year on which the market is closed."""
    days = {
        _nth(year, 1, _MONDAY, 3),  # Martin Luther King, Jr. Day
        _nth(year, 2, _MONDAY, 3),  # Washington's Birthday
        _easter(year) - timedelta(days=2),  # Good Friday
        _nth(year, 6, _MONDAY, 1) - timedelta(days=7),  # Memorial Day, the last Monday of May
        _observed(date(year, 6, 19)),  # Juneteenth
        _observed(date(year, 7, 4)),  # Independence Day
        _nth(year, 9, _MONDAY, 1),  # Labor Day
        _thanksgiving(year),
        _observed(date(year, 12, 25)),  # Christmas Day
    }
    new_year = date(year, 1, 1)
    if new_year.weekday() != _SATURDAY:  # which would be the end of the last year's books
        days.add(_observed(new_year))
    return frozenset(days)


@lru_cache(maxsize=64)
def half_days(year: int) -> frozenset[date]:
    """Give the days of a year on which the regular session ends at 13:00."""
    eves = (date(year, 7, 3), date(year, 12, 24))
    early = {day for day in eves if day.weekday() <= _THURSDAY}
    return frozenset({*early, _thanksgiving(year) + timedelta(days=1)})


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    """Give the so-manieth of a weekday in a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _thanksgiving(year: int) -> date:
    return _nth(year, 11, _THURSDAY, 4)


def _observed(day: date) -> date:
    """Give the weekday on which a holiday is kept."""
    return day + timedelta(days={_SATURDAY: -1, _SUNDAY: 1}.get(day.weekday(), 0))


def _easter(year: int) -> date:
    """Give Easter Sunday of the Gregorian calendar (Meeus, "Astronomical Algorithms", chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)
