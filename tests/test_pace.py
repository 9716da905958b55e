"""How often a market is asked for events changes nothing about them, nor about their statistics."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from markets import SECOND, content
from numpy.typing import NDArray

from ticker.batch import QUOTES, TickBatch
from ticker.facts.measures import excess_kurtosis
from ticker.instruments import Instrument
from ticker.market import Market
from ticker.universe import Universe


@cache
def quoted_second_by_second(steps_a_second: int, block_events: int) -> tuple[NDArray[Any], bytes]:
    """Returns of middle prices over a second, by symbol, of a market asked so often; and all that it gave."""
    names = ["A", "B", "C", "D"]
    universe = Universe([Instrument(n, 200.0, sector="Tech", volatility=1.0) for n in names])
    instance = Market(universe, seed=21, rate=30.0, block_events=block_events)
    steps = range(1, 40 * steps_a_second + 1)
    start = instance.now_us
    parts = [instance.step(start + n * SECOND // steps_a_second) for n in steps]
    batch = TickBatch.join([part for part in parts if len(part)])
    quotes = batch[batch.channel == QUOTES]
    middles = []
    for symbol in range(len(names)):
        mine = quotes[quotes.symbol == symbol]
        ends = np.searchsorted(mine.time, start + np.arange(1, 41) * SECOND) - 1
        middles.append((mine.price + mine.ask)[ends])
    return np.diff(np.log(np.array(middles)), axis=1), content(batch)


@pytest.mark.parametrize("block_events", [500, 16_384])
@pytest.mark.parametrize("steps_a_second", [1, 10, 1_000])
def test_how_often_it_is_asked_changes_no_statistic(steps_a_second: int, block_events: int) -> None:
    """Volatility, kurtosis and correlation are those of the market that is asked once: it is the same tape."""
    returns, tape = quoted_second_by_second(steps_a_second, block_events)
    expected, batch = quoted_second_by_second(1, 16_384)
    assert returns.std(axis=1).tolist() == expected.std(axis=1).tolist()
    assert excess_kurtosis(returns).tolist() == excess_kurtosis(expected).tolist()
    assert np.corrcoef(returns).tolist() == np.corrcoef(expected).tolist()
    assert returns.std() > 0
    assert tape == batch
