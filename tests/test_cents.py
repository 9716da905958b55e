"""The prices that there are: ticks below a dollar, and whole cents from there on, where the rules have it so."""

from itertools import pairwise

import numpy as np
import pytest

from ticker.cents import Rungs, ticks_in_a_cent, widened
from ticker.instruments import Instrument
from ticker.ladder import LEVELS, Ladders
from ticker.market import Market
from ticker.universe import Universe

FINE = Universe(
    [
        Instrument("FINE", 1.003, tick_size=0.0001, spread=30.0),
        Instrument("CENTS", 1.003, spread=3.0),
        Instrument("HALF", 1.005, tick_size=0.005),
    ]
)
SYMBOL = np.array([0])


def test_a_cent_has_as_many_ticks_as_it_has() -> None:
    """And half a cent is a tick of its own, for who asks for it."""
    assert ticks_in_a_cent(FINE).tolist() == [100, 1, 1]


def test_the_quote_that_stands_at_the_start_is_at_whole_cents() -> None:
    """No narrower than it would be; trades before the first quote are within it."""
    wide = Market(FINE, seed=5, rules="us").standing()[[0, 2], 0].tolist()
    narrow = Market(FINE, seed=5).standing()[[0, 2], 0].tolist()
    assert wide == [narrow[0] // 100 * 100, -(-narrow[1] // 100) * 100] != narrow
    below = [np.array([9_999, 100, 1]), np.array([10_000, 101, 2])]
    assert [side.tolist() for side in widened(FINE, *below)] == [side.tolist() for side in below]


def test_prices_are_numbered_from_the_lowest() -> None:
    """Each number is a price, each price of the grid has a number, and one between two cents has the lower one's."""
    rungs = Rungs(ticks_in_a_cent(FINE))
    prices = [1, 2, 9_999, 10_000, 10_100, 10_200, 50_000]
    numbers = [1, 2, 9_999, 10_000, 10_001, 10_002, 10_400]
    assert rungs.of(SYMBOL, np.array(prices)).tolist() == numbers
    assert rungs.ticks(SYMBOL, np.array(numbers)).tolist() == prices
    assert rungs.of(SYMBOL, np.array([10_001, 10_099, 10_199])).tolist() == [10_000, 10_000, 10_001]
    assert rungs.above(SYMBOL, np.array([9_999, 10_000])).tolist() == [False, True]
    for symbol in (1, 2):
        assert rungs.of(np.array([symbol]), np.array(prices)).tolist() == prices
    plain = Rungs(np.ones(3, dtype=np.int64))
    assert plain.ticks(SYMBOL, plain.of(SYMBOL, np.array(prices))).tolist() == prices


@pytest.mark.parametrize("bid", [9_990, 9_999, 10_000, 10_003, 10_300, 20_000])
def test_books_have_whole_cents_from_a_dollar_on(bid: int) -> None:
    """And all of their levels, in order, on both sides of a dollar; also behind a scripted quote that is between two cents."""
    ladders = Ladders(3, FINE, cents=True)
    columns = (0, 7, bid, 100, bid + 7, 100)
    book = ladders.at(*(np.array([c]) for c in columns))
    bids, asks = book.price[0].tolist()
    assert (bids[0], asks[0]) == (bid, bid + 7)
    assert len(set(bids)) == len(set(asks)) == LEVELS
    assert all(better > worse for better, worse in pairwise(bids))
    assert all(better < worse for better, worse in pairwise(asks))
    behind = [*bids[1:], *asks[1:]]
    assert all(price % 100 == 0 for price in behind if price > 10_000)
    assert any(price % 100 for price in behind if price < 10_000) == (min(behind) < 10_000)
    assert book.size.all()


def test_without_the_rules_every_tick_may_have_orders() -> None:
    columns = (0, 7, 20_000, 100, 20_030, 100)
    book = Ladders(3, FINE).at(*(np.array([c]) for c in columns))
    assert (book.price % 100).any()
