"""Times as files have them: texts in ISO 8601, or numbers since 1970 in one of four units."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

__all__ = ["Unit", "is_text", "of_iso", "unit_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SHORT_HOUR = re.compile(r"[T ](?=\d:)")


class Unit(NamedTuple):
    """What numbers since 1970 are in."""

    name: str
    below: float
    """What such numbers are below."""
    us: float
    """Microseconds."""


_UNITS = (
    Unit("seconds", 1e11, 1e6),
    Unit("ms", 1e14, 1e3),
    Unit("µs", 1e17, 1.0),
    Unit("ns", float("inf"), 1e-3),
)


def unit_of(number: float) -> Unit:
    """Tell what a time is in, by its size; right from 1973 to 5138."""
    return next(unit for unit in _UNITS if number < unit.below)


def of_iso(text: str) -> int:
    """
    Give a time in microseconds; it is in UTC unless it has a zone. The hour may have one digit.

    Raises:
        ValueError: it is not in ISO 8601.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(_SHORT_HOUR.sub("T0", text, count=1))
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def is_text(value: Any) -> bool:
    """Tell whether a time is a text, and not a number in one."""
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return True
    return False
