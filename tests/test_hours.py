"""How busy the hours of a market with sessions are, before its start too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.trading_day.hours import SessionBusyness, SessionShape, busyness
from ticker.trading_day.sessions import session_at
from ticker.trading_day.shape import Busyness, DayShape

START = 1_795_888_800  # 2026-11-28 18:00 UTC, the Saturday after a half day


@pytest.mark.parametrize("regular", [DayShape(), None])
def test_the_past_is_as_busy_as_the_market(regular: DayShape | None) -> None:
    """In each second of regular sessions, a half day's too; outside of them nothing happens."""
    shape = SessionShape(regular, START)
    second = np.arange(START - 4 * 86_400, START)
    happens = np.diff(SessionBusyness(shape, START).until(np.append(second, START)))
    minute = shape.minutes(-4 * 86_400, 4 * 86_400)
    expected = np.where(minute < 390, shape.activity()[minute], 0.0)
    assert (minute < 390).sum() == 10_800 + 23_400 + 12_600, "an afternoon, a day, half a day"
    # A minute of a half day isn't of whole seconds.
    coarse = happens.reshape(-1, 3_600).sum(axis=1)
    assert coarse == pytest.approx(expected.reshape(-1, 3_600).sum(axis=1), rel=2e-3)
    assert (happens[minute >= 390] == 0).all()


@given(st.integers(0, 100 * 86_400), st.integers(1, 200 * 23_400))
def test_since_is_when_the_market_was_open_for_so_long(back: int, seconds: int) -> None:
    """Counted in seconds of regular sessions up to the start."""
    start = START - back
    flat = SessionBusyness(SessionShape(None, start), start)
    since = flat.since(seconds)
    until_start, until_since = flat.until(np.array([start, since]))
    assert until_start - until_since == seconds
    assert session_at(since).status == "trading"


def test_before_the_first_session_there_is_nothing() -> None:
    """The past ends there, two years back, whatever is asked for."""
    flat = SessionBusyness(SessionShape(None, START), START)
    since = flat.since(10**9)
    assert session_at(since).begin_s == since
    assert (flat.until(np.array([since - 10**9, since, since + 1])) == [0, 0, 1]).all()


def test_a_market_that_is_always_open_is_busy_at_night() -> None:
    """Its shape has no sessions."""
    for shape in (None, DayShape()):
        found = busyness(shape, START)
        assert isinstance(found, Busyness)
        assert found.since(5) == START - 5
    assert isinstance(busyness(SessionShape(None, START), START), SessionBusyness)
