"""Lengths and moments of time as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feeds.errors import CommandError
from feeds.notation import times
from feeds.notation.times import as_datetime, duration_us, moment_us, seconds_of
from ticker.market import DEFAULT_START_US


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("250ms", 250_000),
        ("1.5s", 1_500_000),
        (" 2 m ", 120_000_000),
        ("1h", 3_600_000_000),
        ("3d", 259_200_000_000),
        ("7us", 7),
        (0, 0),
        (0.1, 100_000),
        (3, 3_000_000),
        (timedelta(milliseconds=1, microseconds=1), 1_001),
    ],
)
def test_lengths(text: Any, us: int) -> None:
    assert duration_us(text) == us
    assert seconds_of(text) == us / 1e6


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1 day",
        "-1s",
        -1,
        True,
        None,
        "1e3s",
        float("nan"),
        float("inf"),
        1e12,
        [],
        timedelta(-1),
    ],
)
def test_what_is_no_length_is_refused(text: Any) -> None:
    with pytest.raises(CommandError, match=r"is no length of time; one is written 250ms, 1.5s, 2m"):
        duration_us(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("09:45", "2026-01-05T14:45:00Z"),
        ("9:45:30.25", "2026-01-05T14:45:30.25Z"),
        ("2026-01-05T09:45:00", "2026-01-05T14:45:00Z"),
        ("2026-07-01T09:45:00", "2026-07-01T13:45:00Z"),
        ("2026-01-05T14:45:00+01:00", "2026-01-05T13:45:00Z"),
        (datetime(2026, 1, 5, 14, 45, tzinfo=UTC), "2026-01-05T14:45:00Z"),
    ],
)
def test_moments(text: Any, expected: str) -> None:
    """Without a zone they are New York's, summer time and all."""
    us = moment_us(text, DEFAULT_START_US)
    assert as_datetime(us) == datetime.fromisoformat(expected)


def test_a_time_of_day_is_of_the_day_in_new_york() -> None:
    """Late in the evening there, it is the next day elsewhere already."""
    late = moment_us("2026-01-05T22:00:00", 0)
    assert as_datetime(moment_us("23:00", late)) == datetime(2026, 1, 6, 4, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "24:00", "09:60", "9.45", "09:45:60", 945, None])
def test_what_is_no_moment_is_refused(text: Any) -> None:
    with pytest.raises(CommandError, match="is no moment; one is written 09:45 or 09:45:30"):
        moment_us(text, DEFAULT_START_US)


def test_a_machine_without_time_zones_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise times.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(times, "ZoneInfo", missing)
    with pytest.raises(CommandError, match="pip install tzdata"):
        moment_us("09:45", DEFAULT_START_US)
    assert moment_us("2026-01-05T14:30:00Z", 0) == DEFAULT_START_US
