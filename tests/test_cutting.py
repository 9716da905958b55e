"""Where a recorded tape is cut into sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from ticker.facts.cutting import Hours, at_hours, at_nights
from ticker.tape import TapeError

MINUTE = 60_000_000
MONDAY = int(datetime(2026, 1, 5, 14, 30, tzinfo=UTC).timestamp()) * 1_000_000
DAY = 24 * 60 * MINUTE
NEW_YORK = "9:30-16:00@America/New_York"


def events(*stretches: tuple[int, float]) -> np.ndarray:
    """An event every ten seconds of each stretch: its start, and its length in minutes."""
    return np.concatenate(
        [np.arange(begin, begin + minutes * MINUTE, MINUTE // 6) for begin, minutes in stretches]
    ).astype(np.int64)


def test_a_session_begins_after_each_night() -> None:
    """Also where the last trade of an afternoon comes half a minute before its end."""
    days = [MONDAY, MONDAY + DAY, MONDAY + 4 * DAY]
    cut = at_nights(events(*((day, 389.5) for day in days)))
    assert cut == (390 * 60, days)


def test_a_half_day_and_a_late_print_are_no_sessions() -> None:
    """The usual length is that in which most of the tape lies, however many shorter stretches there are."""
    days = [MONDAY + n * DAY for n in range(4)]
    late = [(day + 600 * MINUTE, 0.2) for day in days]
    regular = [(days[0], 390), (days[1], 390), (days[2], 210), (days[3], 390)]
    cut = at_nights(events(*sorted(regular + late)))
    assert cut == (390 * 60, [days[0], days[1], days[3]])


def test_a_tape_without_nights_is_cut_into_regular_days() -> None:
    """From its start on, one after the other; a shorter one is one session of whole minutes."""
    cut = at_nights(events((MONDAY, 24 * 60)))
    assert cut.seconds == 390 * 60
    assert [after - before for before, after in pairwise(cut.starts)] == [390 * MINUTE] * 2
    assert at_nights(events((MONDAY, 12.5))) == (12 * 60, [MONDAY])


def test_a_long_day_is_one_session_and_a_week_is_several() -> None:
    """London trades for 510 minutes; currencies for five days without a night."""
    london = events(*((MONDAY + n * DAY, 510) for n in range(3)))
    assert at_nights(london).seconds == 510 * 60
    week = at_nights(events((MONDAY, 5 * 1440), (MONDAY + 7 * DAY, 5 * 1440)))
    assert week.seconds == 390 * 60
    assert len(week.starts) == 2 * (5 * 1440 // 390)


def test_a_lunch_break_or_a_halt_is_no_night() -> None:
    """Tokyo's and Shanghai's mornings and afternoons are one session."""
    tokyo = [(MONDAY + n * DAY + start * MINUTE, 150) for n in range(2) for start in (0, 210)]
    cut = at_nights(events(*tokyo))
    assert cut == (360 * 60, [MONDAY, MONDAY + DAY])


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (events((MONDAY, 0.5)), r"the tape lasts 20\.0 s; at least a minute is needed"),
        (
            events((MONDAY, 0.1), (MONDAY + DAY, 0.1)),
            r"lasts 0\.0 s in its longest of 2 pieces; at",
        ),
    ],
)
def test_less_than_a_minute_is_no_session(times: np.ndarray, message: str) -> None:
    """And the error says how long the tape is."""
    with pytest.raises(TapeError, match=message):
        at_nights(times)


def test_named_hours_follow_the_clocks_of_their_place() -> None:
    """A tape from before the opening to after the close, over the weekend on which New York's clocks change."""
    friday = int(datetime(2026, 3, 6, 9, tzinfo=UTC).timestamp()) * 1_000_000
    cut = at_hours(events((friday, 900), (friday + 3 * DAY, 900)), Hours.parse(NEW_YORK))
    opened = [datetime.fromtimestamp(start / 1e6, UTC) for start in cut.starts]
    assert cut.seconds == 390 * 60
    assert opened == [
        datetime(2026, 3, 6, 14, 30, tzinfo=UTC),
        datetime(2026, 3, 9, 13, 30, tzinfo=UTC),
    ]


def test_hours_may_go_over_midnight() -> None:
    """A session that began the day before the tape counts as well, if there is something of it."""
    evening = int(datetime(2026, 1, 6, 1, tzinfo=UTC).timestamp()) * 1_000_000
    cut = at_hours(events((evening, 60)), Hours.parse("18:00 - 2:00"))
    assert cut.seconds == 8 * 3600
    assert datetime.fromtimestamp(cut.starts[0] / 1e6, UTC) == datetime(2026, 1, 5, 18, tzinfo=UTC)
    assert Hours.parse("0:00-0:00").seconds == 86_400


def test_hours_in_which_nothing_happens_are_an_error() -> None:
    """Such as those of the wrong time zone."""
    with pytest.raises(TapeError, match="no trade and no quote in these hours on any day"):
        at_hours(events((MONDAY, 30)), Hours.parse("3:00-4:00"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9:30", "hours '9:30' are not written like 9:30-16:00 or"),
        ("9:30-25:00", "hours '9:30-25:00' are not written like"),
        ("9:30-16:00@Mars/Base", "knows no time zone 'Mars/Base'; one is America/New_York"),
        ("9:30-16:00@../etc", "knows no time zone '../etc'"),
    ],
)
def test_what_are_no_hours_is_said(text: str, message: str) -> None:
    """With how hours are written."""
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        Hours.parse(text)
