"""Sessions are those of the New York exchanges, whatever the day, and the machine."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.reference.status import STATUSES
from ticker.trading_day.calendar import TradingDays
from ticker.trading_day.sessions import (
    Session,
    new_york_offset_s,
    opens_at,
    regular_sessions,
    session_at,
)

NEW_YORK = ZoneInfo("America/New_York")
seconds = st.integers(1_170_000_000, 4_000_000_000)  # 2007 to 2096


def at(text: str) -> int:
    """Unix time of New York's time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp())


@given(seconds)
def test_new_yorks_time_is_that_of_the_time_zone_database(second: int) -> None:
    """Since 2007, when the law was changed the last time."""
    offset = datetime.fromtimestamp(second, NEW_YORK).utcoffset()
    assert offset == timedelta(seconds=new_york_offset_s(second))


@pytest.mark.parametrize("text", ["2026-03-08T07:00", "2026-11-01T06:00"])
def test_clocks_change_on_the_second(text: str) -> None:
    """In March and November."""
    switch = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    for second in (switch - 1, switch):
        offset = datetime.fromtimestamp(second, NEW_YORK).utcoffset()
        assert offset == timedelta(seconds=new_york_offset_s(second))


@pytest.mark.parametrize(
    ("moment", "status", "begin", "end"),
    [
        ("2026-01-05T03:59:59", "closed", "2026-01-02T20:00", "2026-01-05T04:00"),
        ("2026-01-05T04:00", "pre_market", "2026-01-05T04:00", "2026-01-05T09:30"),
        ("2026-01-05T09:30", "trading", "2026-01-05T09:30", "2026-01-05T16:00"),
        ("2026-01-05T15:59:59", "trading", "2026-01-05T09:30", "2026-01-05T16:00"),
        ("2026-01-05T16:00", "post_market", "2026-01-05T16:00", "2026-01-05T20:00"),
        ("2026-01-05T20:00", "closed", "2026-01-05T20:00", "2026-01-06T04:00"),
        ("2026-01-06T00:30", "closed", "2026-01-05T20:00", "2026-01-06T04:00"),
        ("2026-03-07T12:00", "closed", "2026-03-06T20:00", "2026-03-09T04:00"),
        ("2026-04-03T12:00", "closed", "2026-04-02T20:00", "2026-04-06T04:00"),
        ("2026-11-27T12:59", "trading", "2026-11-27T09:30", "2026-11-27T13:00"),
        ("2026-11-27T13:00", "post_market", "2026-11-27T13:00", "2026-11-27T17:00"),
        ("2026-11-27T17:00", "closed", "2026-11-27T17:00", "2026-11-30T04:00"),
        ("2027-12-24T12:00", "closed", "2027-12-23T20:00", "2027-12-27T04:00"),
    ],
)
def test_every_moment_has_its_session(moment: str, status: str, begin: str, end: str) -> None:
    """On days in winter and summer, on weekends, holidays and half days."""
    assert session_at(at(moment)) == Session(status, at(begin), at(end))


@given(seconds)
def test_sessions_follow_each_other(second: int) -> None:
    """Each ends where the next one begins, and none is longer than a holiday with its weekend."""
    session = session_at(second)
    assert session.begin_s <= second < session.end_s
    assert session_at(session.begin_s) == session_at(session.end_s - 1) == session
    following = session_at(session.end_s)
    assert following.begin_s == session.end_s
    order = ("pre_market", "trading", "post_market", "closed")
    assert order.index(following.status) == (order.index(session.status) + 1) % 4
    assert session.end_s - session.begin_s <= 4 * 86_400
    assert session.status in STATUSES


@given(seconds)
def test_the_market_opens_with_the_next_regular_session(second: int) -> None:
    """Of those that begin after a second, the first one."""
    opens = opens_at(second)
    assert session_at(opens) == ("trading", opens, session_at(opens).end_s)
    assert opens > second
    found = [s.begin_s for s in regular_sessions(second, opens) if s.begin_s > second]
    assert found[0] == opens


@given(seconds, seconds)
def test_the_days_of_a_calendar_are_those_of_its_sessions(until: int, some: int) -> None:
    """Up to a time; and the time that counts only while the market is open goes on in these, and there and back."""
    days = TradingDays(until, 30)
    begins = ("pre_market", "trading", "post_market", "closed")
    for moments, status in zip(
        (days.begin, days.opening, days.close, days.end), begins, strict=True
    ):
        assert all(session_at(s)[:2] == (status, s) for s in moments.tolist())
    assert days.begin[-1] <= until
    assert (session_at(until).begin_s >= days.begin[-1]).all()
    moment = np.array([int(days.begin[0]) + some % (until - int(days.begin[0]) + 1)]) * 1_000_000
    opened = days.opened(moment)
    there = days.clock(opened)
    assert there == moment or session_at(int(moment[0]) // 1_000_000).status == "closed"
    assert (days.opened(there) == opened).all()


@given(seconds, st.integers(0, 30))
def test_the_regular_sessions_of_some_days_are_those_that_are(second: int, days: int) -> None:
    """All of them, of the day of the first second and that of the last too."""
    begin = second // 86_400 * 86_400
    found, session = [], session_at(begin)
    while session.begin_s < begin + (days + 1) * 86_400:
        if session.status == "trading" and session.begin_s >= begin:
            found.append(session)
        session = session_at(session.end_s)
    assert regular_sessions(second, second + days * 86_400) == found
