"""The rules of the market's holidays give those that the exchange has published."""

from datetime import date, timedelta

import pytest

from ticker.trading_day.holidays import half_days, holidays, trades_on

PUBLISHED = {
    2021: "01-01 01-18 02-15 04-02 05-31 06-18 07-05 09-06 11-25 12-24",
    2022: "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26",
    2023: "01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25",
    2024: "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
    2025: "01-01 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
    2026: "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
    2027: "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
    2028: "01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25",
}
EARLY = {
    2023: "07-03 11-24",
    2024: "07-03 11-29 12-24",
    2025: "07-03 11-28 12-24",
    2026: "11-27 12-24",
    2027: "11-26",
    2028: "07-03 11-24",
}


def days(year: int, text: str) -> set[date]:
    return {date.fromisoformat(f"{year}-{day}") for day in text.split()}


@pytest.mark.parametrize("year", PUBLISHED)
def test_holidays_are_those_that_were_published(year: int) -> None:
    """Without the days on which the market was closed for once; in 2021, Juneteenth was none yet."""
    assert holidays(year) == days(year, PUBLISHED[year])


@pytest.mark.parametrize("year", EARLY)
def test_half_days_are_those_that_were_published(year: int) -> None:
    """The day after Thanksgiving, and eves of Independence Day and Christmas that are no Friday."""
    assert half_days(year) == days(year, EARLY[year])


def test_a_holiday_is_a_weekday_and_no_half_day() -> None:
    """In every year; and New Year's Day is never kept in the year before."""
    for year in range(1990, 2100):
        assert all(day.year == year and day.weekday() < 5 for day in holidays(year))
        assert not holidays(year) & half_days(year)
        assert all(map(trades_on, half_days(year)))
        assert len(holidays(year)) in (9, 10)


def test_the_market_trades_on_the_other_weekdays() -> None:
    """250 to 252 of them."""
    for year in range(2020, 2040):
        first = date(year, 1, 1)
        count = sum(trades_on(first + timedelta(days=n)) for n in range(365))
        assert 249 <= count <= 253
    assert not trades_on(date(2026, 11, 28))
    assert not trades_on(date(2026, 11, 29))
