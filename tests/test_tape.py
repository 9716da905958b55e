"""What one pass over a tape tells of it."""

import pytest
from tapes import START_S, MemoryTape, quote, trade

from ticker.tape import UNIT, Survey, TapeError

ROWS = [
    trade(0, 0.25, 187.43),
    quote(1, 1.0, 99.5, 100.5),
    quote(0, 1.5, 187.4, 187.45),
    trade(0, 2.0, 187.45),
    quote(1, 2.0, 99.75, 100.0),
]


def test_a_survey_counts_and_knows_from_when_to_when() -> None:
    """Trades, quotes, the first and the last time; the period is the whole seconds in between, and the last one."""
    survey = Survey(MemoryTape(["A", "B"], ROWS))
    assert (len(survey), survey.trades, survey.quotes) == (5, 2, 3)
    assert survey.first_us == START_S * 1_000_000 + 250_000
    assert survey.start_us == START_S * 1_000_000
    assert survey.period_us == 3_000_000


def test_the_first_price_is_a_trade_s_or_the_middle_of_a_quote() -> None:
    """A trade counts for more, even where a quote came before it."""
    survey = Survey(MemoryTape(["A", "B"], ROWS))
    assert survey.first_price(0) == round(187.43 * UNIT)
    assert survey.first_price(1) == 100 * UNIT
    later = Survey(MemoryTape(["A"], [quote(0, 0, 9, 11), trade(0, 1, 12)]))
    assert later.first_price(0) == 12 * UNIT


def test_the_mean_size_of_bids_is_known() -> None:
    """0 where there are no quotes."""
    rows = [quote(0, 0, 9, 11), trade(1, 0, 12, 7), (*quote(0, 1, 9, 11)[:4], 500, 11.0, 1)]
    survey = Survey(MemoryTape(["A", "B"], rows, chunk=1))
    assert [survey.quote_size(0), survey.quote_size(1)] == [350, 0]


@pytest.mark.parametrize(
    ("prices", "tick"),
    [
        ([187.43, 187.45], 0.01),
        ([5012.25, 5013.5], 0.25),
        ([110.0, 140.0], 1.0),
        ([110.5, 110.75, 110.28125], 1 / 32),
        ([1.08325, 1.0834], 0.00005),
        ([7.0, 14.0], 0.01),
        ([0.0000123], 0.0000001),
        ([100.03, 200.06], 0.01),
    ],
)
def test_the_tick_size_is_what_divides_all_prices(prices: list[float], tick: float) -> None:
    """One over a whole number, and a price is a hundred ticks or more, where that can be."""
    rows = [trade(0, n, price) for n, price in enumerate(prices)]
    survey = Survey(MemoryTape(["A"], rows))
    assert survey.tick(0, survey.first_price(0)) == pytest.approx(tick * UNIT)


def test_a_digest_names_what_is_on_the_tape() -> None:
    """Every value and name counts."""
    digests = {
        Survey(MemoryTape(symbols, rows)).digest
        for symbols in (["A", "B"], ["A", "C"])
        for rows in (ROWS, ROWS[:-1], [*ROWS[:-1], trade(1, 2.0, 99.75)])
    }
    assert len(digests) == 6
    assert Survey(MemoryTape(["A", "B"], ROWS, chunk=2)).digest in digests


def test_an_empty_tape_is_refused() -> None:
    with pytest.raises(TapeError, match="no trade and no quote"):
        Survey(MemoryTape([], []))
