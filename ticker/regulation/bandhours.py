"""When bands are wide, and when a pause ends: the part of limit up, limit down that depends on the hours of a session."""

from ticker.reference.rules import NO_REOPENING_S, PAUSE_S, doubled
from ticker.trading_day.sessions import Session, session_at

__all__ = ["NEVER", "pause_until", "wide_at"]

NEVER = 2**62
"""A time that doesn't come."""

_SECOND_US = 1_000_000


def pause_until(time_us: int, *, us: bool) -> int:
    """Give when a pause ends that begins, or goes on, at a time; with sessions, it may be with the session only: never."""
    until = time_us + PAUSE_S * _SECOND_US
    if us and until > (_session(time_us).end_s - NO_REOPENING_S) * _SECOND_US:
        return NEVER
    return until


def wide_at(time_us: int, day_us: int, tier: int, price: float, *, us: bool) -> bool:
    """Tell whether bands are twice as wide at a time; without sessions, days of 390 minutes begin with ``day_us``."""
    if not us:
        return doubled(time_us, day_us, tier, price)
    session = _session(time_us)
    left_s = session.end_s - time_us // _SECOND_US
    return doubled(time_us, session.begin_s * _SECOND_US, tier, price, left_s=left_s)


def _session(time_us: int) -> Session:
    return session_at(time_us // _SECOND_US)
